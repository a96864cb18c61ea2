"""Preorders against what is on its way: what is covered, and what deliveries do. Pure."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.shared_stock import deliveries, orders
from projections.shared_stock.moves import DatedMove, Move
from projections.shared_stock.preorders import DAY, Expected, covered, promisable

TEA = "tea"
NOW = 5 * DAY
units = st.lists(
    st.builds(
        Expected, st.integers(0, 12).map(lambda days: days * DAY), st.integers(0, 4),
        st.integers(0, 4),
    ),
    max_size=6,
)  # fmt: skip


def pairs(expected: list[Expected], now: int) -> int:
    """The plain model: single units, the most urgent preorder takes the earliest unit in time."""
    coming = sorted(one.expected_at for one in expected for _ in range(one.incoming))
    orders = sorted(one.expected_at for one in expected for _ in range(one.preordered))
    many = 0
    for promised in orders:
        usable = [at for at in coming if at <= promised + DAY]
        if promised + DAY > now and usable:
            coming.remove(usable[0])
            many += 1
    return many


@given(units)
def test_as_many_are_covered_as_can_be_paired(expected: list[Expected]) -> None:
    assert covered(expected, NOW) == pairs(expected, NOW)


@given(units, st.integers(0, 12).map(lambda days: days * DAY))
def test_what_can_be_promised_breaks_no_promise_and_one_more_would(
    expected: list[Expected], by: int
) -> None:
    free, before = promisable(expected, by, NOW), covered(expected, NOW)
    for more in range(1, free + 1):
        asked = [*expected, Expected(by, 0, more)]
        assert covered(asked, NOW) == before + more
    live = sum(one.preordered for one in expected if one.expected_at + DAY > NOW)
    if before == live:  # otherwise units are left for those that wait already
        assert covered([*expected, Expected(by, 0, free + 1)], NOW) < before + free + 1


def test_a_promise_stands_for_the_whole_day() -> None:
    late = [Expected(4 * DAY, 0, 3), Expected(5 * DAY, 3, 0)]
    assert covered(late, NOW - 1) == 3
    assert covered(late, NOW) == 0  # it is a day late, and due from what is on hand
    assert covered([Expected(4 * DAY, 0, 3), Expected(6 * DAY, 3, 0)], 0) == 0


def doc(number: int) -> str:
    """The id of a document."""
    return f"{number:032x}"


def state(documents: dict[str, Any]) -> tuple[dict[Any, int], list[Any]]:
    """Units that are incoming by location and day, as every order of arrival tells them; and what
    does not fit.
    """
    answers = []
    for names in permutations(documents):
        made, dated, odd = deliveries.moves({name: documents[name] for name in names})
        incoming = {(one.location, one.expected_at // DAY): one.incoming for one in dated}
        moved: dict[Any, int] = {}
        for _, move in made:
            if isinstance(move, DatedMove):
                key = (move.location, move.expected_at // DAY)
                moved[key] = moved.get(key, 0) + move.incoming
        assert {key: many for key, many in moved.items() if many} == incoming
        whole = sum(move.incoming for _, move in made if isinstance(move, Move))
        assert whole == sum(incoming.values())
        answers.append((incoming, [(one.kind, one.location, one.quantity) for one in odd]))
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def expected(at: int, many: int, day: int, line: int = 1, where: str = "W1") -> list[Any]:
    return [deliveries.EXPECTED, at, TEA, where, line, many, day * DAY]


def received(at: int, many: int, line: int = 1, where: str = "W1") -> list[Any]:
    return [deliveries.RECEIVED, at, TEA, where, line, many, 0]


def test_a_delivery_arrives_in_parts_and_its_date_moves() -> None:
    told = {doc(1): expected(1, 100, 30), doc(2): received(5, 60), doc(3): expected(6, 100, 45)}
    assert state(told) == ({("W1", 45): 40}, [])
    assert state({**told, doc(4): expected(7, 0, 45)}) == ({}, [])  # the rest will not come


def test_more_than_was_expected_and_elsewhere() -> None:
    told = {doc(1): expected(1, 10, 30), doc(2): received(5, 8), doc(3): received(6, 4)}
    assert state(told) == ({}, [("over_received", "W1", 2)])
    told = {doc(1): expected(1, 10, 30), doc(2): received(5, 8, where="S001")}
    assert state(told) == ({("W1", 30): 2}, [("misrouted", "S001", 8)])


def test_a_receipt_takes_its_own_line_then_the_earliest() -> None:
    lines = {doc(1): expected(1, 5, 9, 1), doc(2): expected(1, 5, 3, 2)}
    assert state({**lines, doc(3): received(2, 5)})[0] == {("W1", 3): 5}
    unnamed = received(2, 6, deliveries.NO_LINE)
    assert state({**lines, doc(3): unnamed})[0] == {("W1", 9): 4}


def test_what_nobody_announced_is_no_delivery() -> None:
    assert state({doc(1): received(1, 5)}) == ({}, [])


def held(documents: dict[str, Any]) -> tuple[int, dict[int, int]]:
    """Committed units, and the preordered ones among them by day."""
    made, dated, _ = orders.moves(documents)
    committed = sum(move.committed for _, move in made if isinstance(move, Move))
    return committed, {one.expected_at // DAY: one.preordered for one in dated}


def test_a_preorder_is_allocated_when_its_units_are_there() -> None:
    entry = [doc(1), 1, orders.PLACED, TEA, "W1", 3, 30 * DAY]
    told = {doc(1): orders.of_entries([entry])}
    assert held(told) == (3, {30: 3})
    told[doc(2)] = [orders.ALLOCATED, 40, TEA, "W1", 2]
    assert held(told) == (3, {30: 1})
    told[doc(3)] = [orders.SHIPPED, 41, TEA, "W1", 2]
    assert held(told) == (1, {30: 1})
    told[doc(4)] = [orders.SHIPPED, 42, TEA, "W1", 1]
    assert held(told) == (0, {})


def test_of_one_item_in_one_order_what_is_sent_at_once_leaves_first() -> None:
    entries = [
        [doc(1), 1, orders.PLACED, TEA, "W1", 2],
        [doc(1), 1, orders.PLACED, TEA, "W1", 3, 30 * DAY],
        [doc(1), 1, orders.PLACED, TEA, "W1", 1, 9 * DAY],
    ]
    told = {doc(1): orders.of_entries(entries)}
    assert held(told) == (6, {9: 1, 30: 3})
    told[doc(2)] = [orders.SHIPPED, 2, TEA, "W1", 2]
    assert held(told) == (4, {9: 1, 30: 3})
    told[doc(3)] = [orders.SHIPPED, 3, TEA, "W1", 2]
    assert held(told) == (2, {30: 2})


def test_a_cancelled_preorder_is_none() -> None:
    entries = [
        [doc(1), 1, orders.PLACED, TEA, "W1", 3, 30 * DAY],
        [doc(2), 2, orders.CANCELLED, TEA, "W1", 2, 30 * DAY],
    ]
    assert held({doc(1): orders.of_entries(entries)}) == (1, {30: 1})
