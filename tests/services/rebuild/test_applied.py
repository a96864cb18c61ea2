"""Is it known which offsets were not applied, wherever the rebuild begins and asks?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.rebuild.applied_records import UnappliedRanges

OFFSETS = st.sets(st.integers(0, 60))


@given(OFFSETS, st.integers(0, 60), st.integers(0, 60), st.integers(0, 70), st.integers(0, 70))
def test_what_lies_between_the_islands_was_not_applied(
    applied: set[int], start: int, known_to: int, first: int, end: int
) -> None:
    known_to = max(start, known_to)
    told = {offset for offset in applied if offset < known_to}
    gaps = UnappliedRanges(start, known_to)
    for island_first, island_end in islands(told):
        gaps.applied(island_first, island_end)
    gaps.close()
    asked = range(max(first, start), max(end, start))
    expected = {offset for offset in asked if offset < known_to and offset not in told}
    assert gaps.within(asked.start, asked.stop) == expected


def islands(offsets: set[int]) -> list[tuple[int, int]]:
    """As the ledger tells them: ranges in order, without those that touch."""
    return [
        (first, next(end for end in range(first, 100) if end not in offsets))
        for first in sorted(offsets)
        if first - 1 not in offsets
    ]
