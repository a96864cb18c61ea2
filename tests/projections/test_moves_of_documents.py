"""Units move when the document that moves them says so, whatever is told afterwards."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from projections.core.documents import packed, unpacked
from projections.shared_stock import orders, transfers

TEA = "tea"


def doc(number: int) -> str:
    """The id of a document."""
    return f"{number:032x}"


def on_hand(moves: list[tuple[str, Any]]) -> Counter[tuple[str, int]]:
    """Units by location and time."""
    found: Counter[tuple[str, int]] = Counter()
    for _, move in moves:
        found[move.location, move.at] += move.on_hand
    return Counter({key: units for key, units in found.items() if units})


def test_a_unit_that_a_till_doubled_never_left_the_shelf() -> None:
    """Rung up for an order before the warehouse ships it: a count in between is not changed."""
    rung = orders.of_entries([[doc(2), 20, orders.SERVED, TEA, "S001", 1]])
    documents = {
        doc(1): ["allocated", 10, TEA, "W1", 1],
        doc(9): rung,
        doc(3): ["shipped", 30, TEA, "W1", 1],
    }
    moves, _, misfits = orders.moves(documents)
    assert on_hand(moves) == {("W1", 30): -1}
    assert [(one.kind, one.at, one.location) for one in misfits] == [
        ("doubled_document", 20, "S001")
    ]


def test_units_handed_over_at_a_till_and_voided_come_back_when_they_are_voided() -> None:
    sold = [doc(2), 20, orders.SERVED, TEA, "S001", 1]
    voided = [doc(3), 30, orders.UNSERVED, TEA, "S001", 1]
    documents = {
        doc(1): ["allocated", 10, TEA, "W1", 1],
        doc(9): orders.of_entries([sold, voided]),
    }
    moves, _, _ = orders.moves(documents)
    assert on_hand(moves) == {("S001", 20): -1, ("S001", 30): 1}


def test_a_shipment_told_with_a_later_time_changes_nothing_at_the_receiver_then() -> None:
    """Four arrive, three were sent: one never counted, from the time of its arrival on."""
    documents = {
        doc(1): ["received", 10, TEA, "W1", "S001", 4, 0],
        doc(2): ["shipped", 20, TEA, "W1", "S001", 3, 0],
    }
    moves, misfits = transfers.moves(documents)
    assert on_hand(moves) == {("W1", 20): -3, ("S001", 10): 3}
    assert [(one.kind, one.quantity) for one in misfits] == [("over_received", 1)]


def test_units_beyond_the_shipment_are_not_listed_as_misrouted_as_well() -> None:
    documents = {
        doc(1): ["shipped", 10, TEA, "W1", "S001", 3, 0],
        doc(2): ["received", 20, TEA, "W1", "S001", 2, 0],
        doc(3): ["received", 30, TEA, "W1", "S002", 3, 0],
    }
    moves, misfits = transfers.moves(documents)
    assert on_hand(moves) == {("W1", 10): -3, ("S001", 20): 2, ("S002", 30): 1}
    assert Counter({one.kind: one.quantity for one in misfits}) == {
        "over_received": 2, "misrouted": 1,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["a\0b", "\\u0000", "\\\0", "\\\\u0000", "\0\0", "\\\\\0"])
def test_a_nul_stays_one_so_that_postgres_refuses_it(text: str) -> None:
    said = packed({"1": [text]})
    assert said.count("\0") == text.count("\0")
    if "\0" not in text:
        assert unpacked(said) == {"1": [text]}
