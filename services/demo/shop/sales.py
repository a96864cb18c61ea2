"""Converts receipts and orders to events: the purchase, points earned, points redeemed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from services.demo.shop import clocks, names
from services.demo.shop.moments import DemoMoment
from services.demo.shop.money import DemoLine, ReceiptMoney, is_wrong, tenders
from services.demo.shop.names import Json
from services.demo.shop.points import earned, lot_id
from services.demo.shop.rows import Rows
from services.sdk.ids import event_id_for

COLUMNS = """
SELECT number, customer, d_date, second, store, terminal, place, receipt_place, day_place,
       held_back, shipping, line_no, item, quantity, unit_price, net_paid, discount
"""
_COPIED = f"""{COLUMNS}
FROM receipt JOIN store_line USING (number) JOIN shop.date_dim ON d_date_sk = date_sk
JOIN of_both ON of_both.channel = 'STORE' AND of_both.number = receipt.number
WHERE NOT held_back AND store = $1 AND terminal = $2 AND place % $3 = 0
ORDER BY date_sk, second, receipt.number, line_no
""".replace("SELECT number", "SELECT receipt.number")
HEADER_COLUMNS = 11
EPOCH = 0  # no till of the demo raises it, not even the one that starts its numbers anew
COPIED_EVERY, PICKED_UP_EVERY, FULL_WIDTH_EVERY = 89, 13, 97
STARTS_ANEW = (5, 1)  # store and terminal
_DAYS_END = timedelta(hours=23, minutes=59, seconds=59)

Redemptions = dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class DemoSale:
    """The header of a receipt or an order; till columns are None for an order.

    `place`: its position, from 1, among all receipts by time, or among all orders by number.
    `receipt_place`: among receipts and orders by time. `day_place`: of its day among the days of
    all terminals. `shipping`: in yen; None for a receipt. `sequence`: its receipt number at the
    till. `ahead`: how far the till's clock is ahead.
    """

    system: str
    number: int
    customer: int | None
    at: datetime
    store: int | None
    terminal: int | None
    place: int
    receipt_place: int
    day_place: int | None
    held_back: bool
    shipping: int | None
    sequence: int | None = None
    ahead: timedelta = clocks.RIGHT

    def meta(self, kind: str, causation: str | None = None) -> Json:
        """The `meta` of an event of this sale; all events of a receipt have its number."""
        found = names.meta(
            self.system,
            self.event_id(kind),
            self.at + self.ahead,
            store=self.store,
            terminal=self.terminal,
            sequence=self.sequence,
            correlation=self.transaction,
            causation=causation,
        )
        if self.store is not None:
            found["producer"]["store_id"] = self.location
        return found

    def event_id(self, kind: str) -> str:
        if self.terminal is None or self.sequence is None:
            return names.demo_id(kind, self.system, self.number)
        if (self.store, self.terminal) == STARTS_ANEW:
            return names.uuid7_of(self.at, kind, self.number)
        till = names.till(self.terminal)
        return event_id_for(self.system, self.location, till, EPOCH, self.sequence, kind)

    @property
    def location(self) -> str:
        """The store as the till writes it, or the warehouse."""
        written = names.location(self.store)
        if self.store is not None and self.place % FULL_WIDTH_EVERY == 0:
            return names.full_width(written)
        return written

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

    def money(self, lines: Sequence[DemoLine]) -> ReceiptMoney:
        """What the receipt says of its money, as it is printed."""
        return ReceiptMoney(lines, self.shipping, int(is_wrong(self.receipt_place, "total")))

    def paid(self, lines: Sequence[DemoLine], redeemed: Redemptions) -> list[Json]:
        """The tenders."""
        points = 0
        if self.customer is not None:
            points = redeemed.get((names.CHANNELS[self.system], self.number), 0)
        total = self.money(lines).total
        return tenders(self.system, self.number, total, points, self.receipt_place)


def pickup_store(number: int, place: int) -> int | None:
    """The store where the customer picks up the order; None if it is shipped.

    `place`: the order's position, from 1, among all orders.
    """
    return None if place % PICKED_UP_EVERY else 1 + number % names.STORES


def moment(day: Any, second: int) -> datetime:
    return datetime.combine(day, time(), names.JST) + timedelta(seconds=second)


def copies(rows: Rows, store: int, terminal: int) -> Iterator[DemoMoment]:
    """Receipts of a till that the store's office tells again at the day's end."""
    copied = rows.stream(_COPIED, store, terminal, COPIED_EVERY)
    for sale, lines in sales(copied, names.POS):
        at = datetime.combine(sale.at.date(), time(), names.JST) + _DAYS_END
        yield DemoMoment(at, [_copy(sale, lines, at)])


def sales(
    lines: Iterator[tuple[Any, ...]], system: str
) -> Iterator[tuple[DemoSale, list[DemoLine]]]:
    """Every sale with its lines, from rows of `COLUMNS` that have the lines of a sale together."""
    header_of = itemgetter(slice(HEADER_COLUMNS))
    for header, group in groupby(lines, key=header_of):
        number, customer, day, second, *more = header
        sale = DemoSale(system, number, customer, moment(day, second), *more)
        yield sale, [DemoLine(*line[HEADER_COLUMNS:]) for line in group]


def events_of(sale: DemoSale, lines: list[DemoLine], redemptions: Redemptions) -> Iterator[Json]:
    """The purchase, and its points if it has a customer."""
    purchase = _purchase(sale, lines, redemptions)
    yield purchase
    if sale.customer is None:
        return
    buyer = {"profile_id": sale.profile, "transaction_id": sale.transaction}
    cause = purchase["meta"]["event_id"]
    lots = [
        {
            "lot_id": lot_id(sale.system, sale.number, line.line_no),
            "line_no": line.line_no,
            "points": points,
        }
        for line in lines
        if (points := earned(line.net_paid))
    ]
    if lots:
        meta = sale.meta("PointsEarned", cause)
        yield {"type": "PointsEarned", "meta": meta, **buyer, "lots": lots}
    if redeemed := redemptions.get((names.CHANNELS[sale.system], sale.number), 0):
        meta = sale.meta("PointsRedeemed", cause)
        yield {"type": "PointsRedeemed", "meta": meta, **buyer, "points": redeemed}


def _purchase(sale: DemoSale, lines: list[DemoLine], redemptions: Redemptions) -> Json:
    money = sale.money(lines)
    event = _required(sale, sale.meta("PurchaseCompleted"), sale.location, money) | money.fields
    event |= {
        "business_date": sale.at.date().isoformat(),
        "receipt_number": str(sale.number),
        "lines": money.charged(sale.store, sale.fulfilment),
        "tenders": sale.paid(lines, redemptions),
    }
    if sale.profile is not None:
        event["profile_id"] = sale.profile
    return event


def _copy(sale: DemoSale, lines: list[DemoLine], at: datetime) -> Json:
    """The same sale under another event id, as the office tells it: without optional fields."""
    meta = names.meta(sale.system, copy_id(sale.number), at, store=sale.store)
    return _required(sale, meta, names.location(sale.store), sale.money(lines))


def copy_id(number: int) -> str:
    """The event id of the copy of a receipt."""
    return names.demo_id("copy", number)


def _required(sale: DemoSale, meta: Json, location: str, money: ReceiptMoney) -> Json:
    """The fields that every `PurchaseCompleted` has."""
    return {
        "type": "PurchaseCompleted",
        "meta": meta,
        "transaction_id": sale.transaction,
        "location_id": location,
        "currency": names.CURRENCY,
        "total": money.total,
        "lines": money.required(sale.store),
    }
