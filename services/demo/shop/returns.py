"""Converts a returned line to events: the return, points taken back, and an inquiry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.demo.shop import inquiries, names
from services.demo.shop.names import Json
from services.demo.shop.points import earned, lot_id
from services.demo.shop.rows import Rows
from services.demo.shop.sales import moment

# A return without a date: the day after the sale. Without a time: at the time of the sale.
_COLUMNS = """
SELECT number, line_no, customer, store, item, sold.quantity, net_paid,
       back.quantity, refund, returner, r_reason_desc, i_category,
       coalesce(returned.d_date, (bought.d_date + INTERVAL 1 DAY)::DATE) AS day,
       coalesce(back.second, header.second) AS second
"""
_RULES = """
LEFT JOIN shop.reason ON r_reason_sk = back.reason
LEFT JOIN shop.item ON i_item_sk = item
LEFT JOIN shop.date_dim AS returned ON returned.d_date_sk = back.date_sk
JOIN shop.date_dim AS bought ON bought.d_date_sk = header.date_sk
WHERE back.quantity <= sold.quantity AND NOT held_back
"""
_OF_TILL = f"""{_COLUMNS}
FROM store_return AS back JOIN store_line AS sold USING (number, item)
JOIN receipt AS header USING (number)
{_RULES} AND store = $1 AND terminal = $2
ORDER BY day, second, number, line_no
"""
_OF_EC = f"""{_COLUMNS}
FROM web_return AS back JOIN web_line AS sold USING (number, item)
JOIN web_order AS header USING (number)
{_RULES}
ORDER BY day, second, number, line_no
"""


@dataclass(frozen=True, slots=True)
class DemoReturn:
    """One returned line."""

    system: str
    number: int
    line_no: int
    customer: int | None
    store: int | None
    item: int
    sold: int
    net_paid: int
    quantity: int
    refund: int
    returner: int | None
    reason: str | None
    category: str | None
    at: datetime

    def meta(self, kind: str, causation: str | None = None, after: timedelta | None = None) -> Json:
        """The `meta` of an event of the return, without terminal; `after` is added to its time."""
        event_id = names.demo_id(kind, self.system, self.number, self.line_no)
        at = self.at + after if after else self.at
        return names.meta(
            self.system,
            event_id,
            at,
            store=self.store,
            correlation=self.transaction,
            causation=causation,
        )

    @property
    def transaction(self) -> str:
        return names.transaction(self.system, self.number)

    @property
    def points(self) -> int:
        """The points that the returned units had earned, rounded down."""
        return earned(self.net_paid) * self.quantity // self.sold


def returns_of_till(rows: Rows, store: int, terminal: int) -> Iterator[tuple[datetime, list[Json]]]:
    """The returns of a till's receipts by time, each with its events."""
    for row in rows.stream(_OF_TILL, store, terminal):
        yield _happened(_read(names.POS, row))


def returns_of_ec(rows: Rows) -> Iterator[tuple[datetime, list[Json]]]:
    """The returns of the web shop's orders by time, each with its events."""
    for row in rows.stream(_OF_EC):
        yield _happened(_read(names.EC, row))


def _read(system: str, row: tuple[Any, ...]) -> DemoReturn:
    *fields, day, second = row
    return DemoReturn(*(system, *fields, moment(day, second)))


def _happened(back: DemoReturn) -> tuple[datetime, list[Json]]:
    returned = _returned(back)
    cause = returned["meta"]["event_id"]
    events = [returned]
    if back.customer is not None and back.points:
        events.append(_reversed(back, cause))
    events.extend(inquiries.inquiry(back, cause))
    return back.at, events


def _returned(back: DemoReturn) -> Json:
    event: Json = {
        "type": "PurchaseReturned",
        "meta": back.meta("PurchaseReturned"),
        "transaction_id": back.transaction,
        "location_id": names.location(back.store),
        "currency": names.CURRENCY,
        "total": back.refund,
        "lines": [
            {
                "line_no": back.line_no,
                "sku": names.sku(back.item),
                "quantity": back.quantity,
                "refund": back.refund,
                "disposition": "BACK_IN_STOCK",
            }
        ],
    }
    if back.customer is not None:
        event["profile_id"] = names.profile(back.system, back.customer)
    if back.returner is not None:
        event["returned_by"] = names.profile(back.system, back.returner)
    if back.reason:
        event["reason_code"] = names.slug(back.reason)[:64]
    return event


def _reversed(back: DemoReturn, cause: str) -> Json:
    assert back.customer is not None
    profile = names.profile(back.system, back.customer)
    lot = lot_id(back.system, back.number, back.line_no)
    return {
        "type": "PointsReversed",
        "meta": back.meta("PointsReversed", cause),
        "profile_id": profile,
        "points": back.points,
        "transaction_id": back.transaction,
        "allocations": [{"profile_id": profile, "lot_id": lot, "points": back.points}],
        "policy": "go_negative",
    }
