"""What does a till's closing mean, and what does its day lack?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from projections.core.memory import Memory
from projections.terminal_gaps import closing, day_of, receipts, till_receipt
from projections.terminal_gaps.closings import Closing, Ranges, ranges_of
from projections.terminal_gaps.till_days import TillDay, joined, size, without
from schemas.calendars import nominal_date
from schemas.generated.events import ReceiptNumberUsed, TerminalDayClosed
from schemas.wire import codec
from tests.projections.saying import T0, meta, sold, tell

DAY = 20_000
CASH = Closing([[1, 5]], 5, "JPY", {"CASH": 500}, {"1000": [455, 45]})
WHOLE = TillDay(
    "GINZA", DAY, "pos", "1", 0, (CASH,), [[1, 5]],
    tenders={("JPY", "CASH"): 500}, taxes={("JPY", 1000): (455, 45)},
)  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last", "count", "ranges"),
    [
        (1, 5, 5, [[1, 5]]),
        (1, 5, 4, [[1, 5]]),
        (7, 7, 1, [[7, 7]]),
        (None, None, 0, []),
        (0, 0, 0, []),
        (6, 5, 0, []),
        (5, 5, 0, []),
        (1, 5, 0, [[1, 5]]),
        (9_998, 2, 4, [[1, 2], [9_998, 9_999]]),
        (9_998, 2, 5, [[0, 2], [9_998, 9_999]]),
        (9_998, 0, 3, [[0, 0], [9_998, 9_999]]),
        (498, 2, 5, [[1, 2], [498, 500]]),
        (9_998, 2, 1, [[9_998, 9_998], [2, 2]]),
    ],
)
def test_the_numbers_of_a_closing(
    first: int | None, last: int | None, count: int, ranges: Ranges
) -> None:
    assert ranges_of(first, last, count) == ranges


def test_numbers_in_ranges() -> None:
    assert joined([[4, 5], [1, 2], [3, 3], [9, 9]]) == [[1, 5], [9, 9]]
    assert without([[1, 10]], [[3, 4], [9, 12]]) == [[1, 2], [5, 8]]
    assert without([[1, 3], [5, 6]], [[0, 9]]) == []
    assert size([[1, 5], [9, 9]]) == 6


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({}, []),
        ({"closings": ()}, ["not_closed"]),
        ({"numbers": [[2, 4]]}, ["numbers_missing"]),
        ({"numbers": [[1, 4]], "elsewhere": [[5, 5]]}, ["numbers_elsewhere"]),
        ({"numbers": [[1, 6]]}, ["numbers_beside"]),
        ({"closings": (replace(CASH, count=6),)}, ["count_differs"]),
        ({"tenders": {("JPY", "CARD"): 500}}, ["tenders_differ"]),
        ({"tenders": {("USD", "CASH"): 500}}, ["tenders_differ"]),
        ({"tenders": {("JPY", "CASH"): 500, ("JPY", "CARD"): 0}}, []),
        ({"taxes": {("JPY", 800): (455, 45)}}, ["taxes_differ"]),
        ({"closings": (replace(CASH, tenders={}, taxes={}),)}, []),
        ({"terminal_id": "", "closings": ()}, []),
        ({"closings": (), "numbers": [], "lost": [[1, 5]]}, ["not_closed", "numbers_missing"]),
        ({"closings": (CASH, replace(CASH, ranges=[[6, 6]], count=1))},
         ["numbers_missing", "tenders_differ", "taxes_differ"]),
    ],
)  # fmt: skip
def test_what_a_day_lacks(changes: dict[str, object], lacks: list[str]) -> None:
    assert replace(WHOLE, **changes).lacks == lacks  # type: ignore[arg-type]


def test_a_closing_that_is_told_again_replaces_the_one_before(memory: Memory) -> None:
    first = _closed(last=4)
    tell(memory, [_closed(last=5, minute=10), first])
    (row,) = memory.table(closing).values()
    assert '"ranges":[[1,5]]' in row["said"]


def test_a_number_without_a_sale_is_seen(memory: Memory) -> None:
    used = ReceiptNumberUsed(
        meta=meta(), location_id="GINZA", terminal_id="1", number=3, used_for="DEPOSIT"
    )
    tell(memory, [used])
    (row,) = memory.table(receipts).values()
    assert (row["store_id"], row["seen"]) == ("GINZA", "{[3,4)}")
    assert codec.key_of(used) == b"GINZA/1"


def test_a_sale_that_tells_neither_number_nor_date_nor_payment_costs_nothing(
    memory: Memory,
) -> None:
    tell(memory, [sold("tea")])
    assert not memory.table(receipts) and not memory.table(till_receipt)
    tell(memory, [replace(sold("tea", receipt="dated"), business_date=nominal_date(T0))])
    (row,) = memory.table(till_receipt).values()
    assert (row["terminal_id"], row["sequence"]) == ("", None)


@pytest.mark.parametrize(("apart", "kept"), [(-3, 0), (-2, -2), (0, 0), (2, 2), (3, 0)])
def test_a_far_date_is_not_the_day_of_a_receipt(apart: int, kept: int) -> None:
    assert day_of(T0, nominal_date(T0) + apart) == nominal_date(T0) + kept


def _closed(last: int, minute: int = 0) -> TerminalDayClosed:
    return TerminalDayClosed(
        meta=meta(minute=minute), location_id="GINZA", terminal_id="1", business_date=DAY,
        first_number=1, last_number=last, count=last, currency="JPY",
    )  # fmt: skip
