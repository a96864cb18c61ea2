"""The days of a till: its receipts, what it used for training, and what it says when it closes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time
from itertools import groupby

from services.demo.shop import clocks, names
from services.demo.shop.moments import DemoMoment
from services.demo.shop.money import DemoLine, Sums
from services.demo.shop.names import Json
from services.demo.shop.rows import Rows
from services.demo.shop.sales import (
    COLUMNS,
    EPOCH,
    STARTS_ANEW,
    DemoSale,
    Redemptions,
    events_of,
    sales,
)
from services.sdk.ids import event_id_for

_RECEIPTS = f"""{COLUMNS}
FROM receipt JOIN store_line USING (number) JOIN shop.date_dim ON d_date_sk = date_sk
JOIN of_both ON of_both.channel = 'STORE' AND of_both.number = receipt.number
WHERE store = $1 AND terminal = $2
ORDER BY date_sk, second, receipt.number, line_no
""".replace("SELECT number", "SELECT receipt.number")
TRAINING_AFTER_EVERY = 400
LOST_EVERY = 61
_CLOSES_AT = time(21, tzinfo=names.JST)
Receipt = tuple[DemoSale, list[DemoLine]]


def till_days(rows: Rows, redeemed: Redemptions, store: int, terminal: int) -> Iterator[DemoMoment]:
    """Receipts, training and closings of a till by time; receipts that are held back are left out,
    but have their numbers, and count in the closings.
    """
    clock, number = clocks.WrongWeeks(store, terminal), 0
    receipts = sales(rows.stream(_RECEIPTS, store, terminal), names.POS)
    for day, group in groupby(receipts, key=lambda receipt: receipt[0].at.date()):
        if (store, terminal) == STARTS_ANEW:
            number = 0
        till = _TillDay(day, number + 1, _told(group, clock))
        yield from till.moments(redeemed)
        number = till.last


def _told(receipts: Iterator[Receipt], clock: clocks.WrongWeeks) -> list[Receipt]:
    """The receipts with what the till's clock showed."""
    return [
        (sale if sale.held_back else replace(sale, ahead=clock.ahead(sale.at.date())), lines)
        for sale, lines in receipts
    ]


class _TillDay:
    """A day on which a till sold. `last`: the last number that was used, when it is over."""

    def __init__(self, day: date, first: int, receipts: list[Receipt]) -> None:
        self._day, self._first, self._receipts = day, first, receipts
        self._sums, self.last = Sums(), first - 1
        self._of = receipts[0][0]
        self._ahead = next((sale.ahead for sale, _ in receipts if sale.ahead), clocks.RIGHT)

    def moments(self, redeemed: Redemptions) -> Iterator[DemoMoment]:
        for sale, lines in self._receipts:
            self.last += 1
            self._sums.add(sale.paid(lines, redeemed), sale.money(lines).taxes)
            if not sale.held_back:
                told = replace(sale, sequence=self.last)
                yield DemoMoment(sale.at, list(events_of(told, lines, redeemed)), sale.ahead)
            if sale.place % TRAINING_AFTER_EVERY == 0:
                self.last += 1
                yield DemoMoment(sale.at, [self._training(sale.at, self.last)], self._ahead)
        assert self._of.day_place is not None
        if self._of.day_place % LOST_EVERY:
            at = datetime.combine(self._day, _CLOSES_AT)
            yield DemoMoment(at, [self._closing(at)], self._ahead)

    def _training(self, at: datetime, number: int) -> Json:
        return self._event("ReceiptNumberUsed", at, number) | {
            "number": number,
            "used_for": "TRAINING",
        }

    def _closing(self, at: datetime) -> Json:
        return self._event("TerminalDayClosed", at, None) | {
            "first_number": self._first,
            "last_number": self.last,
            "count": self.last - self._first + 1,
            "currency": names.CURRENCY,
            **self._sums.fields,
        }

    def _event(self, kind: str, at: datetime, number: int | None) -> Json:
        store, terminal = self._of.store, self._of.terminal
        assert store is not None and terminal is not None
        location, till = names.location(store), names.till(terminal)
        if (store, terminal) == STARTS_ANEW:
            event_id = names.uuid7_of(at, kind, self._day, number)
        elif number is None:
            event_id = names.demo_id(kind, location, till, self._day)
        else:
            event_id = event_id_for(names.POS, location, till, EPOCH, number, kind)
        meta = names.meta(
            names.POS, event_id, at + self._ahead, store=store, terminal=terminal, sequence=number
        )
        return {
            "type": kind,
            "meta": meta,
            "location_id": location,
            "terminal_id": till,
            "business_date": self._day.isoformat(),
        }


def moments_of_day(rows: Rows, store: int, terminal: int) -> int:
    """How many receipts, closings and numbers for training a till sends."""
    return rows.number(
        f"""
        SELECT count(*) FILTER (NOT held_back)
            + count(*) FILTER (place % {TRAINING_AFTER_EVERY} = 0)
            + count(DISTINCT day_place) FILTER (day_place % {LOST_EVERY} <> 0)
        FROM receipt WHERE store = $1 AND terminal = $2
        """,
        store,
        terminal,
    )
