"""Points: earned anywhere, spent anywhere."""

from __future__ import annotations

from projections.core.memory import Memory
from projections.point_balance import balance
from schemas.events import (
    PointsAdjusted,
    PointsEarned,
    PointsExpired,
    PointsRedeemed,
    PointsReinstated,
    PointsReversed,
    PointsTransferred,
)
from schemas.events.parts import EarnedLot, LotAllocation
from tests.projections.saying import meta, named, row, tell

HANAKO, TARO = named("hanako"), named("taro")


def earned(points: int, channel: str = "EC") -> PointsEarned:
    return PointsEarned(meta(channel), HANAKO, [EarnedLot(named("lot"), points)])


def held(memory: Memory, who: bytes = HANAKO) -> int:
    return int(row(memory, balance, who)["balance"])


def test_points_earned_online_are_spent_in_the_store(memory: Memory) -> None:
    tell(memory, [earned(120, "EC"), PointsRedeemed(meta("STORE"), HANAKO, 50)])
    assert held(memory) == 70
    assert row(memory, balance, HANAKO)["redeemed"] == 50


def test_a_late_redemption_that_overdraws_is_seen_as_debt(memory: Memory) -> None:
    tell(memory, [PointsRedeemed(meta("STORE"), HANAKO, 50), earned(20)])
    assert held(memory) == -30


def test_spending_takes_from_whose_lots_were_named_and_the_rest_from_oneself(
    memory: Memory,
) -> None:
    lots = [LotAllocation(TARO, named("his"), 30)]
    tell(memory, [PointsRedeemed(meta(), HANAKO, 50, allocations=lots)])
    assert (held(memory, TARO), held(memory)) == (-30, -20)


def test_what_comes_back_takes_its_points_back_and_gives_the_spent_ones_back(
    memory: Memory,
) -> None:
    events = [earned(100), PointsRedeemed(meta(), HANAKO, 40)]
    tell(
        memory, [*events, PointsReversed(meta(), HANAKO, 10), PointsReinstated(meta(), HANAKO, 15)]
    )
    found = row(memory, balance, HANAKO)
    assert (found["balance"], found["redeemed"], found["taken_back"]) == (65, 25, 10)


def test_points_given_to_another_leave_one_and_reach_the_other(memory: Memory) -> None:
    tell(memory, [earned(100), PointsTransferred(meta(), HANAKO, TARO, 30, "family")])
    assert (held(memory), held(memory, TARO)) == (70, 30)


def test_expiry_and_goodwill_move_the_balance(memory: Memory) -> None:
    expired = PointsExpired(meta(), HANAKO, named("lot"), 30, 20_000)
    tell(memory, [earned(100), expired, PointsAdjusted(meta(), HANAKO, 5, "goodwill")])
    assert held(memory) == 75


def test_a_resend_is_counted_once(memory: Memory) -> None:
    one = earned(100)
    tell(memory, [one, one])
    assert held(memory) == 100
