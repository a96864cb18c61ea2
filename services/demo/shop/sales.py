"""Converts receipts and orders to events: the purchase, points earned, points redeemed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from services.demo.shop import clocks, names
from services.demo.shop.moments import DemoMoment
from services.demo.shop.names import Json
from services.demo.shop.points import earned, lot_id
from services.demo.shop.rows import Rows
from services.sdk.ids import event_id_for

_RECEIPTS = """
SELECT number, customer, d_date, second, store, terminal, sequence, place,
       line_no, item, quantity, unit_price, net_paid
FROM receipt JOIN store_line USING (number) JOIN shop.date_dim ON d_date_sk = date_sk
WHERE NOT held_back AND store = $1 AND terminal = $2 AND place % $3 = 0
ORDER BY sequence, line_no
"""
_ORDERS = """
SELECT number, customer, d_date, second, store, terminal, sequence, place,
       line_no, item, quantity, unit_price, net_paid
FROM web_order JOIN web_line USING (number) JOIN shop.date_dim ON d_date_sk = date_sk
ORDER BY d_date, second, number, line_no
"""
HEADER_COLUMNS = 8
EPOCH = 0  # no till of the demo restarts its receipt numbers
COPIED_EVERY, PICKED_UP_EVERY = 89, 13
_DAYS_END = timedelta(hours=23, minutes=59, seconds=59)

Redemptions = dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class DemoSale:
    """The header of a receipt or an order; till columns are None for an order.

    `place`: its position, from 1, among all receipts by time, or among all orders by number.
    `ahead`: how far the till's clock is ahead.
    """

    system: str
    number: int
    customer: int | None
    at: datetime
    store: int | None
    terminal: int | None
    sequence: int | None
    place: int
    ahead: timedelta = clocks.RIGHT

    def meta(self, kind: str, causation: str | None = None) -> Json:
        """The `meta` of an event of this sale; all events of a receipt have its number."""
        return names.meta(
            self.system,
            self.event_id(kind),
            self.at + self.ahead,
            store=self.store,
            terminal=self.terminal,
            sequence=self.sequence,
            correlation=self.transaction,
            causation=causation,
        )

    def event_id(self, kind: str) -> str:
        if self.terminal is None or self.sequence is None:
            return names.demo_id(kind, self.system, self.number)
        store, till = names.location(self.store), names.till(self.terminal)
        return event_id_for(self.system, store, till, EPOCH, self.sequence, kind)

    @property
    def transaction(self) -> str:
        return names.transaction(self.system, self.number)

    @property
    def profile(self) -> str | None:
        return None if self.customer is None else names.profile(self.system, self.customer)

    @property
    def fulfilment(self) -> Json:
        """How units of its lines leave, and where from if that is not the sale's location."""
        if self.system == names.POS:
            return {"fulfilment": "IMMEDIATE"}
        counter = pickup_store(self.number, self.place)
        if counter is None:
            return {"fulfilment": "SHIP"}
        return {"fulfilment": "PICKUP", "location_id": names.location(counter)}


def pickup_store(number: int, place: int) -> int | None:
    """The store where the customer picks up the order; None if it is shipped.

    `place`: the order's position, from 1, among all orders.
    """
    return None if place % PICKED_UP_EVERY else 1 + number % names.STORES


def moment(day: Any, second: int) -> datetime:
    return datetime.combine(day, time(), names.JST) + timedelta(seconds=second)


def receipts(rows: Rows, redeemed: Redemptions, store: int, terminal: int) -> Iterator[DemoMoment]:
    """A till's receipts by number, without those that are held back, each with its events."""
    clock = clocks.WrongWeeks(store, terminal)
    for right, lines in _sales(rows.stream(_RECEIPTS, store, terminal, 1), names.POS):
        sale = replace(right, ahead=clock.ahead(right.at.date()))
        yield DemoMoment(sale.at, list(_events(sale, lines, redeemed)), sale.ahead)


def copies(rows: Rows, store: int, terminal: int) -> Iterator[DemoMoment]:
    """Receipts of a till that the store's office tells again at the day's end."""
    copied = rows.stream(_RECEIPTS, store, terminal, COPIED_EVERY)
    for sale, lines in _sales(copied, names.POS):
        at = datetime.combine(sale.at.date(), time(), names.JST) + _DAYS_END
        yield DemoMoment(at, [_copy(sale, lines, at)])


def orders(rows: Rows, redeemed: Redemptions) -> Iterator[DemoMoment]:
    """The web shop's orders by time, each with its events."""
    for sale, lines in _sales(rows.stream(_ORDERS), names.EC):
        yield DemoMoment(sale.at, list(_events(sale, lines, redeemed)))


def _sales(
    lines: Iterator[tuple[Any, ...]], system: str
) -> Iterator[tuple[DemoSale, list[tuple[Any, ...]]]]:
    """Every sale with its lines: (line number, item, quantity, unit price, net paid)."""
    header_of = itemgetter(slice(HEADER_COLUMNS))
    for header, group in groupby(lines, key=header_of):
        number, customer, day, second, *more = header
        sale = DemoSale(system, number, customer, moment(day, second), *more)
        yield sale, [line[HEADER_COLUMNS:] for line in group]


def _events(
    sale: DemoSale, lines: list[tuple[Any, ...]], redemptions: Redemptions
) -> Iterator[Json]:
    purchase = _purchase(sale, lines)
    yield purchase
    if sale.customer is None:
        return
    buyer = {"profile_id": sale.profile, "transaction_id": sale.transaction}
    cause = purchase["meta"]["event_id"]
    lots = [
        {"lot_id": lot_id(sale.system, sale.number, line_no), "line_no": line_no, "points": points}
        for line_no, _, _, _, net_paid in lines
        if (points := earned(net_paid))
    ]
    if lots:
        meta = sale.meta("PointsEarned", cause)
        yield {"type": "PointsEarned", "meta": meta, **buyer, "lots": lots}
    if redeemed := redemptions.get((names.CHANNELS[sale.system], sale.number), 0):
        meta = sale.meta("PointsRedeemed", cause)
        yield {"type": "PointsRedeemed", "meta": meta, **buyer, "points": redeemed}


def _purchase(sale: DemoSale, lines: list[tuple[Any, ...]]) -> Json:
    event = _required(sale, sale.meta("PurchaseCompleted"), lines)
    event |= {
        "business_date": sale.at.date().isoformat(),
        "receipt_number": str(sale.number),
        "lines": [line | sale.fulfilment for line in event["lines"]],
    }
    if sale.profile is not None:
        event["profile_id"] = sale.profile
    return event


def _copy(sale: DemoSale, lines: list[tuple[Any, ...]], at: datetime) -> Json:
    """The same sale under another event id, as the office tells it: without optional fields."""
    meta = names.meta(sale.system, copy_id(sale.number), at, store=sale.store)
    return _required(sale, meta, lines)


def copy_id(number: int) -> str:
    """The event id of the copy of a receipt."""
    return names.demo_id("copy", number)


def _required(sale: DemoSale, meta: Json, lines: list[tuple[Any, ...]]) -> Json:
    """The fields that every `PurchaseCompleted` has."""
    return {
        "type": "PurchaseCompleted",
        "meta": meta,
        "transaction_id": sale.transaction,
        "location_id": names.location(sale.store),
        "currency": names.CURRENCY,
        "total": sum(line[-1] for line in lines),
        "lines": [
            {
                "line_no": line_no,
                "sku": names.sku(item),
                "quantity": quantity,
                "unit_price": unit_price,
                "net_paid": net_paid,
            }
            for line_no, item, quantity, unit_price, net_paid in lines
        ],
    }
