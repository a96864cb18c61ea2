"""What every question uses: oracle, client, report row and progress bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from services.demo.check.oracle import Oracle
from services.demo.common.answers import Answers
from services.demo.common.bars import Lane
from services.demo.common.comparison import ReportRow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """The state of one question while it is asked."""

    oracle: Oracle
    answers: Answers
    row: ReportRow
    lane: Lane
    customers: list[int]
    items: list[int]
    tally: Counter[str]  # totals over the answers, which the last question compares
    receipts: dict[str, dict[str, object]]  # of pages of sales, by transaction, until compared

    def by_customer(self, name: str) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
        """(customer, the oracle's rows about it) for every customer, in order; [] without rows."""
        for customer, rows in self._for_each(self.oracle.expected(name), itemgetter(0)):
            yield customer, [row[1:] for row in rows]

    def records_by_customer(self, name: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """The same with the names of the columns."""
        return self._for_each(self.oracle.records(name), itemgetter("customer"))

    def _for_each(
        self, rows: Iterable[T], customer_of: Callable[[T], Any]
    ) -> Iterator[tuple[int, list[T]]]:
        expected = groupby(rows, key=customer_of)
        pending = next(expected, None)
        for customer in self.customers:
            found: list[T] = []
            if pending is not None and pending[0] == customer:
                found = list(pending[1])
                pending = next(expected, None)
            yield customer, found

    def answered(self, steps: int = 1) -> None:
        self.lane.moved(steps, steps)
