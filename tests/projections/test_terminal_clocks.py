"""A terminal whose clock was wrong by more than two minutes is listed, and no other."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from projections.core.fold import Group
from projections.core.memory import Memory
from projections.terminal_clocks import clocks, projection
from schemas.generated.events import PointsEarned
from schemas.generated.events.parts import EarnedLot
from schemas.wire.effective import CLOCK_OFFSET, RECEIVED_AT, effective_event
from tests.projections.saying import MINUTE, T0, meta, named, sold, tell

HOUR = 60 * MINUTE


def earned(receipt: int, offset: int, arrived: int) -> PointsEarned:
    """Points of a till whose clock is off by so much, as they are folded."""
    lot = EarnedLot(lot_id=named(f"lot {receipt}"), points=1)
    event = PointsEarned(meta=meta(receipt=receipt), profile_id=named("hanako"), lots=[lot])
    headers = [(RECEIVED_AT, b"%d" % arrived), (CLOCK_OFFSET, b"%d" % offset)]
    effective: PointsEarned = effective_event(event, headers, 0)
    return effective


def test_events_of_right_clocks_have_no_row(memory: Memory) -> None:
    tell(memory, [sold("tea"), earned(1, 2 * MINUTE, T0 + HOUR)])
    assert memory.table(clocks) == {}


def test_the_newest_offset_counts_in_whichever_order_events_come() -> None:
    events: list[Any] = [
        earned(1, -HOUR, T0 + HOUR), earned(2, 3 * MINUTE, T0 + 3 * HOUR),
        earned(3, 5 * HOUR, T0 + 2 * HOUR), effective_event(sold("tea", minute=60), [], T0 // 1000),
    ]  # fmt: skip
    for order in permutations(events):
        memory = Memory(Group("main", [projection]))
        tell(memory, list(order))
        rows = memory.table(clocks).values()
        told = [(row["store_id"], row["terminal_id"], row["clock_offset"]) for row in rows]
        assert sorted(told) == [("", "", 999 - HOUR), ("GINZA", "1", 3 * MINUTE)]
        seen = [(row["first_seen"], row["last_seen"], row["events"]) for row in rows]
        assert sorted(seen) == [(T0 + 999, T0 + 999, 1), (T0 + HOUR, T0 + 3 * HOUR, 3)]
