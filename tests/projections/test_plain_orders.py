"""Are the moves of a plain order the same by the short rules and by the whole ones?"""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.core.documents import Document, Documents
from projections.shared_stock import orders

STOCK = ("allocated", "reserved", "shipped", "released")
times = st.integers(1, 9)
units = st.integers(0, 4)
skus = st.sampled_from(("A", "B"))
# mostly one location: at two the short rules do not apply
places = st.sampled_from((*["W1"] * 5, *["W1\x1fkg"] * 5, "S1", "S1\x1fkg"))
ids = st.integers(0, 99).map(lambda number: UUID(int=number).hex)
told = st.tuples(st.sampled_from(STOCK), times, skus, places, units).map(list)
kinds = st.sampled_from(("placed", "placed", "placed", "cancelled", "came back", "served"))
entries = st.tuples(ids, times, kinds, skus, places, units).map(list)


@st.composite
def documents(draw: st.DrawFn) -> Documents:
    found: dict[str, Document] = draw(st.dictionaries(ids, told, max_size=8))
    return {**found, "f" * 32: orders.of_entries(draw(st.lists(entries, max_size=5)))}


@given(documents())
def test_short_and_whole_rules_agree(told: Documents) -> None:
    short = orders.moves(told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orders, "plain_moves", lambda sku, steps: None)
        assert short == orders.moves(told)


def test_an_order_of_many_lines_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Document] = {}
    for line in range(12):
        for number, kind in enumerate(("allocated", "shipped")):
            told[UUID(int=10 * line + number).hex] = [kind, 10 + number, f"{line}", "W1", 3]
    placed = [[UUID(int=999).hex, 1, "placed", f"{line}", "W1", 3] for line in range(12)]
    told[UUID(int=999).hex] = orders.of_entries(placed)
    monkeypatch.delattr(orders, "OrderedItem")
    moved, _, misfits = orders.moves(told)
    assert not misfits
    assert sum(move.on_hand for _, move in moved) == -36  # type: ignore[union-attr]
    assert sum(move.committed for _, move in moved) == 0  # type: ignore[union-attr]
