"""Converts a returned line to events: the return, points taken back, and an inquiry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.demo.shop import inquiries, names
from services.demo.shop.moments import DemoMoment, in_time
from services.demo.shop.names import Json
from services.demo.shop.order_lives import is_cancelled
from services.demo.shop.points import earned, taken_back
from services.demo.shop.rows import Rows
from services.demo.shop.sales import moment

# A return without a date: the day after the sale. Without a time: at the time of the sale.
_COLUMNS = """
SELECT number, line_no, customer, store, item, sold, net_paid, quantity, refund, returner,
       r_reason_desc, i_category, channel_place, back.place, line_place,
       coalesce(returned.d_date, (bought.d_date + INTERVAL 1 DAY)::DATE) AS day,
       coalesce(back.second, header.second) AS second
"""
_RULES = """
LEFT JOIN shop.reason ON r_reason_sk = back.reason
LEFT JOIN shop.item ON i_item_sk = item
LEFT JOIN shop.date_dim AS returned ON returned.d_date_sk = back.date_sk
JOIN shop.date_dim AS bought ON bought.d_date_sk = header.date_sk
"""
_OF_TILL = f"""{_COLUMNS}
FROM return_line AS back JOIN receipt AS header USING (number)
{_RULES} WHERE channel = 'STORE' AND NOT held_back AND back.place % $1 = 0
  AND store = $2 AND terminal = $3
ORDER BY day, second, number, line_no
"""
_OF_EC = f"""{_COLUMNS}
FROM return_line AS back JOIN web_order AS header USING (number)
{_RULES} WHERE channel = 'EC' AND back.place % $1 = 0
ORDER BY day, second, number, line_no
"""
WITHOUT_CARD_EVERY, OTHER_PROFILE_EVERY = 7, 11  # of the stores
NOT_RETURNED_EVERY = 53  # of the web shop
TOLD_TWICE_EVERY = 211
_SECOND_SLIP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DemoReturn:
    """One returned line.

    `channel_place`, `place`: its position, from 1, among all returns of its channel, and of both.
    `line_place`: the position of its line among all lines of the web shop.
    """

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
    channel_place: int
    place: int
    line_place: int | None
    at: datetime

    def meta(
        self,
        kind: str,
        causation: str | None = None,
        after: timedelta | None = None,
        *,
        slip: int = 1,
    ) -> Json:
        """The `meta` of an event of the return, without terminal; `after` is added to its time."""
        which = (kind, self.system, self.number, self.line_no, *((slip,) if slip > 1 else ()))
        at = self.at + after if after else self.at
        return names.meta(
            self.system,
            names.demo_id(*which),
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

    @property
    def left_before(self) -> bool:
        """Whether the units had left, so that they can come back."""
        return self.line_place is None or not is_cancelled(self.line_place, self.sold)

    @property
    def disposition(self) -> str:
        if self.system == names.EC and self.channel_place % NOT_RETURNED_EVERY == 0:
            return "NOT_RETURNED"
        return "BACK_IN_STOCK"

    @property
    def who(self) -> Json:
        """The profiles that the return names."""
        without_card = self.channel_place % WITHOUT_CARD_EVERY == 0
        other_profile = self.channel_place % OTHER_PROFILE_EVERY == 0
        if self.system == names.POS and without_card:
            return {}
        system = names.EC if self.system == names.POS and other_profile else self.system
        profiles: Json = {}
        if self.customer is not None:
            profiles["profile_id"] = names.profile(system, self.customer)
        if self.returner is not None:
            profiles["returned_by"] = names.profile(self.system, self.returner)
        return profiles


def returns_of_till(rows: Rows, store: int, terminal: int) -> Iterator[DemoMoment]:
    """The returns of a till's receipts by time, each with its events."""
    return in_time(
        _first_slips(rows.stream(_OF_TILL, 1, store, terminal), names.POS),
        _second_slips(rows.stream(_OF_TILL, TOLD_TWICE_EVERY, store, terminal), names.POS),
    )


def returns_of_ec(rows: Rows) -> Iterator[DemoMoment]:
    """The returns of the web shop's orders by time, each with its events."""
    return in_time(
        _first_slips(rows.stream(_OF_EC, 1), names.EC),
        _second_slips(rows.stream(_OF_EC, TOLD_TWICE_EVERY), names.EC),
    )


def _first_slips(lines: Iterator[tuple[Any, ...]], system: str) -> Iterator[DemoMoment]:
    for back in _returns(lines, system):
        yield DemoMoment(back.at, list(_happened(back)))


def _second_slips(lines: Iterator[tuple[Any, ...]], system: str) -> Iterator[DemoMoment]:
    for back in _returns(lines, system):
        yield DemoMoment(back.at + _SECOND_SLIP, [_returned(back, 2)])


def _returns(lines: Iterator[tuple[Any, ...]], system: str) -> Iterator[DemoReturn]:
    for *columns, day, second in lines:
        back = DemoReturn(*(system, *columns, moment(day, second)))
        if back.left_before:
            yield back


def _happened(back: DemoReturn) -> Iterator[Json]:
    returned = _returned(back)
    yield returned
    cause = returned["meta"]["event_id"]
    if back.customer is not None and back.points:
        meta = back.meta("PointsReversed", cause)
        yield taken_back(meta, back.system, back.customer, back.number, back.line_no, back.points)
    yield from inquiries.inquiry(back, cause)


def _returned(back: DemoReturn, slip: int = 1) -> Json:
    after = _SECOND_SLIP if slip > 1 else None
    event: Json = {
        "type": "PurchaseReturned",
        "meta": back.meta("PurchaseReturned", after=after, slip=slip),
        "transaction_id": back.transaction,
        "location_id": names.location(back.store),
        "currency": names.CURRENCY,
        "total": back.refund,
        "lines": [
            {
                "line_no": back.line_no,
                "sku": names.code(back.item, back.store),
                "quantity": back.quantity,
                "refund": back.refund,
                "disposition": back.disposition,
            }
        ],
        "document_id": f"{back.system}-{back.number}-{back.line_no}-{slip}",
        **back.who,
    }
    if back.reason:
        event["reason_code"] = names.slug(back.reason)[:64]
    return event
