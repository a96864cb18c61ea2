"""What becomes of the web shop's orders: allocated, cancelled, shipped or handed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from services.demo.shop import names
from services.demo.shop.moments import DemoMoment
from services.demo.shop.money import DemoLine
from services.demo.shop.names import Json
from services.demo.shop.points import earned, taken_back
from services.demo.shop.rows import Rows
from services.demo.shop.sales import moment, pickup_store
from services.demo.shop.web_orders import is_amended

CANCELLED_EVERY = 97
_ALLOCATED, _CANCELLED, _SHIPPED = (timedelta(days=days) for days in (1, 2, 3))
# lines without units have nothing to send
_LINES = """
SELECT number, customer, line_no, item, quantity, unit_price, net_paid, discount,
       order_line.line_place, is_first_of_several,
       "order".place, placed.d_date AS placed_day, second,
       of_line.d_date AS line_day, of_order.d_date AS order_day
FROM web_order AS "order" JOIN web_line AS order_line USING (number)
JOIN shop.date_dim AS placed ON placed.d_date_sk = date_sk
LEFT JOIN shop.date_dim AS of_line ON of_line.d_date_sk = line_ship_date_sk
LEFT JOIN shop.date_dim AS of_order ON of_order.d_date_sk = ship_date_sk
WHERE quantity > 0
"""
_BY_SALE = f"{_LINES} ORDER BY placed_day, second, number, line_no"
_BY_LINE_SHIPPED = (
    f"{_LINES} ORDER BY coalesce(line_day, placed_day + INTERVAL 3 DAY), second, number, line_no"
)
_BY_ORDER_SHIPPED = (
    f"{_LINES} ORDER BY coalesce(order_day, placed_day + INTERVAL 3 DAY), second, number, line_no"
)


@dataclass(frozen=True, slots=True)
class DemoOrderLine:
    """A line of an order. `counter`: the store where it is picked up; None if it is shipped.

    `quantity`, `net_paid`: as an amendment left them. `points`: what the line earned, as sold.
    `leaves_at`: when it is shipped or handed over, unless it was cancelled.
    """

    number: int
    customer: int | None
    line_no: int
    item: int
    quantity: int
    net_paid: int
    points: int
    cancelled: bool
    counter: int | None
    placed_at: datetime
    leaves_at: datetime

    @property
    def transaction(self) -> str:
        return names.transaction(names.EC, self.number)

    def meta(self, system: str, kind: str, at: datetime, causation: str | None = None) -> Json:
        """The `meta` of an event about this line."""
        return names.meta(
            system,
            names.demo_id(kind, names.EC, self.number, self.line_no),
            at,
            store=self.counter if system == names.POS else None,
            correlation=self.transaction,
            causation=causation,
        )

    def units(self, kind: str, system: str, at: datetime) -> Json:
        """An event about all units of this line in stock."""
        return {
            "type": kind,
            "meta": self.meta(system, kind, at),
            "sku": names.sku(self.item),
            "location_id": names.location(self.counter),
            "order_id": self.transaction,
            "line_no": self.line_no,
            "quantity": self.quantity,
        }


def is_cancelled(line_place: int, quantity: int) -> bool:
    """Whether the line at this position, from 1, among all lines of the web shop is cancelled."""
    return line_place % CANCELLED_EVERY == 0 and quantity > 0


def allocations(rows: Rows) -> Iterator[DemoMoment]:
    """Every order is allocated a day after it was placed, all its lines together."""
    for _, lines in groupby(_lines(rows, _BY_SALE), key=lambda line: line.number):
        order = list(lines)
        at = order[0].placed_at + _ALLOCATED
        yield DemoMoment(at, [line.units("StockAllocated", names.EC, at) for line in order])


def cancels(rows: Rows) -> Iterator[DemoMoment]:
    """Lines that are cancelled, with the points that are taken back."""
    for line in _lines(rows, _BY_SALE):
        if line.cancelled:
            at = line.placed_at + _CANCELLED
            yield DemoMoment(at, list(_cancelled(line, at)))


def shipments(rows: Rows) -> Iterator[DemoMoment]:
    """Lines that the warehouse ships."""
    for line in _lines(rows, _BY_LINE_SHIPPED):
        if line.counter is None and not line.cancelled:
            event = line.units("StockShipped", names.WAREHOUSE, line.leaves_at)
            yield DemoMoment(line.leaves_at, [event])


def handovers(rows: Rows) -> Iterator[DemoMoment]:
    """Lines that stores hand over to whoever picks up the order."""
    for line in _lines(rows, _BY_ORDER_SHIPPED):
        if line.counter is not None and not line.cancelled:
            event = line.units("OrderLineHandedOver", names.POS, line.leaves_at)
            yield DemoMoment(line.leaves_at, [event])


def _lines(rows: Rows, query: str) -> Iterator[DemoOrderLine]:
    for row in rows.stream(query):
        yield _line(*row)


def _line(
    number: int, customer: int | None, line_no: int, item: int, quantity: int, unit_price: int,
    net_paid: int, discount: int, line_place: int, is_first_of_several: bool | None,
    order_place: int, placed_day: Any, second: int, line_day: Any, order_day: Any,
) -> DemoOrderLine:  # fmt: skip
    placed_at = moment(placed_day, second)
    counter = pickup_store(number, order_place)
    day = line_day if counter is None else order_day
    left = DemoLine(line_no, item, quantity, unit_price, net_paid, discount)
    if is_amended(order_place, is_first_of_several):
        left = left.with_one_unit_less
    return DemoOrderLine(
        number=number, customer=customer, line_no=line_no, item=item, quantity=left.quantity,
        net_paid=left.net_paid, points=earned(net_paid),
        cancelled=is_cancelled(line_place, quantity), counter=counter, placed_at=placed_at,
        leaves_at=placed_at + _SHIPPED if day is None else moment(day, second),
    )  # fmt: skip


def _cancelled(line: DemoOrderLine, at: datetime) -> Iterator[Json]:
    event: Json = {
        "type": "OrderLineCancelled",
        "meta": line.meta(names.EC, "OrderLineCancelled", at),
        "transaction_id": line.transaction,
        "order_id": line.transaction,
        "line_no": line.line_no,
        "sku": names.sku(line.item),
        "quantity": line.quantity,
        "refund": line.net_paid,
        "currency": names.CURRENCY,
        "location_id": names.location(line.counter),
    }
    if line.customer is not None:
        event["profile_id"] = names.profile(names.EC, line.customer)
    yield event
    if line.customer is not None and line.points:
        meta = line.meta(names.EC, "PointsReversed of a cancel", at, event["meta"]["event_id"])
        yield taken_back(meta, names.EC, line.customer, line.number, line.line_no, line.points)
