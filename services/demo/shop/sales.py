"""Converts receipts and orders to events: the purchase, points earned, points redeemed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from services.demo.shop import names
from services.demo.shop.names import Json
from services.demo.shop.points import earned, lot_id
from services.demo.shop.rows import Rows
from services.sdk.ids import event_id_for

_RECEIPTS = """
SELECT number, customer, d_date, second, store, terminal, sequence,
       line_no, item, quantity, unit_price, net_paid
FROM receipt JOIN store_line USING (number) JOIN shop.date_dim ON d_date_sk = date_sk
WHERE NOT held_back AND store = $1 AND terminal = $2
ORDER BY sequence, line_no
"""
_ORDERS = """
SELECT number, customer, d_date, second, store, terminal, sequence,
       line_no, item, quantity, unit_price, net_paid
FROM web_order JOIN web_line USING (number) JOIN shop.date_dim ON d_date_sk = date_sk
ORDER BY d_date, second, number, line_no
"""
HEADER_COLUMNS = 7
EPOCH = 0  # no till of the demo restarts its receipt numbers

Redemptions = dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class DemoSale:
    """The header of a receipt or an order; till columns are None for an order."""

    system: str
    number: int
    customer: int | None
    at: datetime
    store: int | None
    terminal: int | None
    sequence: int | None

    def meta(self, kind: str, causation: str | None = None) -> Json:
        """The `meta` of an event of this sale; all events of a receipt have its number."""
        return names.meta(
            self.system,
            self.event_id(kind),
            self.at,
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


def moment(day: Any, second: int) -> datetime:
    return datetime.combine(day, time(), names.JST) + timedelta(seconds=second)


def receipts(
    rows: Rows, redeemed: Redemptions, store: int, terminal: int
) -> Iterator[tuple[datetime, list[Json]]]:
    """A till's receipts by number, without those that are held back, each with its events."""
    return _sales(rows.stream(_RECEIPTS, store, terminal), names.POS, redeemed)


def orders(rows: Rows, redeemed: Redemptions) -> Iterator[tuple[datetime, list[Json]]]:
    """The web shop's orders by time, each with its events."""
    return _sales(rows.stream(_ORDERS), names.EC, redeemed)


def _sales(
    lines: Iterator[tuple[Any, ...]], system: str, redeemed: Redemptions
) -> Iterator[tuple[datetime, list[Json]]]:
    header_of = itemgetter(slice(HEADER_COLUMNS))
    for header, group in groupby(lines, key=header_of):
        number, customer, day, second, store, terminal, sequence = header
        sale = DemoSale(system, number, customer, moment(day, second), store, terminal, sequence)
        bought = [line[HEADER_COLUMNS:] for line in group]
        points = redeemed.get((names.CHANNELS[system], number), 0)
        yield sale.at, list(_events(sale, bought, points))


def _events(sale: DemoSale, lines: list[tuple[Any, ...]], redeemed: int) -> Iterator[Json]:
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
    if redeemed:
        meta = sale.meta("PointsRedeemed", cause)
        yield {"type": "PointsRedeemed", "meta": meta, **buyer, "points": redeemed}


def _purchase(sale: DemoSale, lines: list[tuple[Any, ...]]) -> Json:
    event: Json = {
        "type": "PurchaseCompleted",
        "meta": sale.meta("PurchaseCompleted"),
        "transaction_id": sale.transaction,
        "location_id": names.location(sale.store),
        "currency": names.CURRENCY,
        "total": sum(line[-1] for line in lines),
        "business_date": sale.at.date().isoformat(),
        "receipt_number": str(sale.number),
        "lines": [
            {
                "line_no": line_no,
                "sku": names.sku(item),
                "quantity": quantity,
                "unit_price": unit_price,
                "net_paid": net_paid,
                "fulfilment": "IMMEDIATE",
            }
            for line_no, item, quantity, unit_price, net_paid in lines
        ],
    }
    if sale.profile is not None:
        event["profile_id"] = sale.profile
    return event
