"""What was received of a till's business day, against what the till closed. Pure.

A day of a till is complete if it was closed, every number of the closing was received on that day,
none beside them, and the sums are those of the closing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from projections.terminal_gaps import NO_TERMINAL
from projections.terminal_gaps.closings import Closing, Ranges, closing_of

Lack = Literal[
    "not_closed", "numbers_missing", "numbers_elsewhere", "numbers_beside", "count_differs",
    "tenders_differ", "taxes_differ",
]  # fmt: skip
"""Why a till's day is not complete."""
Tenders = dict[tuple[str, str], int]
"""Amounts by currency and means of payment."""
TaxSums = dict[tuple[str, int], tuple[int, int]]
"""What was sold without tax, and the tax, by currency and rate."""


@dataclass(frozen=True, slots=True)
class TillDay:
    """A till's business day: what it closed, and what was received as rung up on that day.

    `numbers`: of receipts. `lost`: those of which nothing else is known than that the closings of
    the days before and after leave them out. `elsewhere`: those closed here that were received as
    of another day.
    """

    store_id: str
    day: int
    system: str
    terminal_id: str
    epoch: int
    closings: tuple[Closing, ...] = ()
    numbers: Ranges = field(default_factory=list)
    lost: Ranges = field(default_factory=list)
    elsewhere: Ranges = field(default_factory=list)
    tenders: Tenders = field(default_factory=dict)
    taxes: TaxSums = field(default_factory=dict)

    @property
    def numbered(self) -> bool:
        """Whether it is a till; sales without a number are of none."""
        return self.terminal_id != NO_TERMINAL

    @property
    def missing(self) -> Ranges:
        """Numbers of the closings that were not received, as far as is known."""
        return without([*without(self._closed, self.numbers), *self.lost], self.elsewhere)

    @property
    def beside(self) -> Ranges:
        """Numbers that were received on this day and that no closing of it has."""
        return without(self.numbers, self._closed) if self.closings else []

    @property
    def lacks(self) -> list[Lack]:
        """Why the day is not complete; empty if it is."""
        if not self.numbered:
            return []
        found: list[Lack] = [] if self.closings else ["not_closed"]
        if self.missing:
            found.append("numbers_missing")
        if self.elsewhere:
            found.append("numbers_elsewhere")
        if self.beside:
            found.append("numbers_beside")
        if self.closings:
            count = sum(one.count for one in self.closings)
            found += ["count_differs"] if count != size(self._closed) else []
            found += self._sums_that_differ()
        return found

    @property
    def _closed(self) -> Ranges:
        return joined(ends for one in self.closings for ends in one.ranges)

    def closed_tenders(self) -> Tenders:
        """The sums of the closings by means of payment."""
        sums: Tenders = {}
        for one in self.closings:
            for kind, amount in one.tenders.items():
                sums[one.currency, kind] = sums.get((one.currency, kind), 0) + amount
        return sums

    def closed_taxes(self) -> TaxSums:
        """The sums of the closings by tax rate."""
        sums: TaxSums = {}
        for one in self.closings:
            for rate, (net, tax) in one.taxes.items():
                before = sums.get((one.currency, int(rate)), (0, 0))
                sums[one.currency, int(rate)] = (before[0] + net, before[1] + tax)
        return sums

    def _sums_that_differ(self) -> Iterator[Lack]:
        """A till that tells no sums of a kind is not asked for them."""
        tenders, taxes = self.closed_tenders(), self.closed_taxes()
        if tenders and _told(tenders) != _told(self.tenders):
            yield "tenders_differ"
        if taxes and _told(taxes) != _told(self.taxes):
            yield "taxes_differ"


def till_day(row: Mapping[str, Any]) -> TillDay:
    """A till's day from a row of `day_rows.TILL_DAYS`."""
    return TillDay(
        row["store_id"],
        row["day"],
        row["system"],
        row["terminal_id"],
        row["epoch"],
        tuple(map(closing_of, row["closings"] or ())),
        numbers=[list(ends) for ends in row["numbers"] or ()],
        lost=[list(ends) for ends in row["lost"] or ()],
        tenders={(currency, kind): amount for currency, kind, amount in row["tenders"] or ()},
        taxes={
            (currency, int(rate)): (net, tax) for currency, rate, net, tax in row["taxes"] or ()
        },
    )


def joined(ranges: Iterable[list[int]]) -> Ranges:
    """Ranges in their order, those that touch as one."""
    found: Ranges = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1][1] = max(found[-1][1], last)
        else:
            found.append([first, last])
    return found


def without(ranges: Iterable[list[int]], others: Iterable[list[int]]) -> Ranges:
    """The numbers of the first ranges that are in none of the others."""
    gone, left = joined(others), Ranges()
    for first, last in joined(ranges):
        for start, end in gone:
            if end < first or start > last:
                continue
            if first < start:
                left.append([first, start - 1])
            first = end + 1
            if first > last:
                break
        if first <= last:
            left.append([first, last])
    return left


def size(ranges: Iterable[list[int]]) -> int:
    """How many numbers are in ranges that do not overlap."""
    return sum(last - first + 1 for first, last in ranges)


def _told(sums: Mapping[Any, Any]) -> dict[Any, Any]:
    """The sums without those that are 0."""
    return {key: value for key, value in sums.items() if value not in (0, (0, 0))}
