"""Points: earned anywhere, spent anywhere, and what they make at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from projections.core.memory import Memory
from projections.point_balance import across, entry
from projections.point_balance.account import Account, account, lots_and_draws
from projections.point_balance.debt_pairs import owed
from schemas.generated.events import (
    PointsAdjusted,
    PointsEarned,
    PointsExpired,
    PointsRedeemed,
    PointsReinstated,
    PointsReversed,
    PointsTransferred,
)
from schemas.generated.events.parts import EarnedLot, LotAllocation
from tests.projections.saying import MINUTE, T0, meta, named, tell

HANAKO, TARO = named("hanako"), named("taro")
SALE, LOT = named("sale"), named("lot")
Terms = dict[str, Any]


def earned(
    points: int, lot: str = "lot", minute: int = 0, sale: str = "sale", **terms: int
) -> PointsEarned:
    at = {name: T0 + value * MINUTE for name, value in terms.items()}
    return PointsEarned(
        meta=meta("EC", minute),
        profile_id=HANAKO,
        lots=[EarnedLot(lot_id=named(lot), points=points, **at)],
        transaction_id=named(sale),
    )


def spent(points: int, minute: int = 1, sale: str = "other", **more: Any) -> PointsRedeemed:
    return PointsRedeemed(
        meta=meta("STORE", minute),
        profile_id=HANAKO,
        points=points,
        transaction_id=named(sale),
        **more,
    )


def held(memory: Memory, who: bytes = HANAKO, minute: int = 60) -> Account:
    rows = [row for row in memory.table(entry).values() if row["profile_id"] == who]
    return account(*lots_and_draws(rows), T0 + minute * MINUTE)


def left(found: Account) -> dict[bytes, int]:
    return {lot.lot_id: lot.left for lot in found.lots}


def test_points_earned_online_are_spent_in_the_store(memory: Memory) -> None:
    tell(memory, [earned(120), spent(50)])
    assert held(memory).balance == 70
    assert left(held(memory)) == {LOT: 70}


def test_what_was_taken_and_not_there_is_debt_that_the_next_points_repay(memory: Memory) -> None:
    tell(memory, [spent(50, minute=1), earned(20, minute=0)])
    found = held(memory)
    assert (found.balance, found.debt, found.available) == (-30, 30, 0)
    tell(memory, [earned(100, "next", minute=2)])
    found = held(memory)
    assert (found.balance, found.debt) == (70, 0)
    assert left(found)[named("next")] == 70


def test_spending_takes_from_whose_lots_were_named_and_the_rest_from_oneself(
    memory: Memory,
) -> None:
    lots = [LotAllocation(profile_id=TARO, lot_id=named("his"), points=30)]
    tell(memory, [earned(20), spent(50, allocations=lots)])
    assert (left(held(memory, TARO)), held(memory).balance) == ({named("his"): -30}, 0)
    assert held(memory, TARO).pending == 0, "what is not seen yet is not less than nothing"


def test_the_soonest_to_expire_is_taken_first_and_nothing_that_is_over_or_pending(
    memory: Memory,
) -> None:
    tell(
        memory,
        [
            earned(10, "for ever"),
            earned(10, "soon", expires_at=30),
            earned(10, "over", expires_at=1),
            earned(10, "pending", active_from=40),
            spent(15, minute=5),
        ],
    )
    found = held(memory, minute=20)
    assert left(found) == {
        named("soon"): 0, named("for ever"): 5, named("over"): 10, named("pending"): 10,
    }  # fmt: skip
    assert (found.balance, found.pending, found.lapsed) == (5, 10, 10)
    assert held(memory, minute=45).balance == 15


def test_what_comes_back_takes_its_own_points_back_before_any_other(memory: Memory) -> None:
    back = PointsReversed(meta=meta(minute=3), profile_id=HANAKO, points=10, transaction_id=SALE)
    tell(memory, [earned(10, "soon", sale="first", expires_at=50), earned(10, minute=1), back])
    assert left(held(memory, minute=20)) == {LOT: 0, named("soon"): 10}


def test_pending_points_are_taken_back_while_they_are_pending(memory: Memory) -> None:
    tell(
        memory,
        [
            earned(10, active_from=40),
            PointsReversed(meta=meta(minute=3), profile_id=HANAKO, points=10, transaction_id=SALE),
        ],
    )
    found = held(memory, minute=20)
    assert (found.pending, found.debt) == (0, 0)


def test_what_is_given_back_goes_where_it_was_taken_from(memory: Memory) -> None:
    back = PointsReinstated(
        meta=meta(minute=9), profile_id=HANAKO, points=15, transaction_id=named("other")
    )
    tell(memory, [earned(100, expires_at=30), spent(40), back])
    assert left(held(memory, minute=20)) == {LOT: 75}
    assert held(memory, minute=40).balance == 0, "with the time that they had"


def test_given_back_to_named_lots_with_a_grace_if_their_time_has_passed(memory: Memory) -> None:
    taken = [LotAllocation(profile_id=HANAKO, lot_id=LOT, points=40)]
    back = PointsReinstated(
        meta=meta(minute=35),
        profile_id=HANAKO,
        points=40,
        transaction_id=named("other"),
        allocations=taken,
        expires_at=T0 + 90 * MINUTE,
    )
    tell(memory, [earned(100, expires_at=30), spent(40, allocations=taken), back])
    assert held(memory, minute=60).balance == 40
    assert held(memory, minute=90).balance == 0
    tell(
        memory,
        [
            PointsReinstated(
                meta=meta(),
                profile_id=HANAKO,
                points=1,
                transaction_id=named("other"),
                allocations=[LotAllocation(profile_id=HANAKO, lot_id=LOT, points=1)],
            )
        ],
    )
    assert left(held(memory))[LOT] == 61


def test_given_back_without_anything_taken_is_a_lot_of_its_own(memory: Memory) -> None:
    tell(memory, [PointsReinstated(meta=meta(), profile_id=HANAKO, points=15, transaction_id=SALE)])
    assert held(memory).balance == 15


def test_points_given_to_another_leave_one_and_reach_the_other(memory: Memory) -> None:
    tell(
        memory,
        [
            earned(100),
            PointsTransferred(
                meta=meta(), profile_id=HANAKO, to_profile_id=TARO, points=30, reason="family"
            ),
        ],
    )
    assert (held(memory).balance, held(memory, TARO).balance) == (70, 30)


def test_a_lot_that_is_transferred_keeps_its_time(memory: Memory) -> None:
    moved = [LotAllocation(profile_id=HANAKO, lot_id=LOT, points=30)]
    gift = PointsTransferred(
        meta=meta(),
        profile_id=HANAKO,
        to_profile_id=TARO,
        points=30,
        reason="family",
        allocations=moved,
    )
    tell(memory, [earned(100, expires_at=30), gift])
    rows = list(memory.table(entry).values())
    assert account(*lots_and_draws(rows), T0 + 20 * MINUTE).balance == 100
    assert account(*lots_and_draws(rows), T0 + 30 * MINUTE).balance == 0


def test_expiry_and_goodwill_move_the_balance(memory: Memory) -> None:
    expired = PointsExpired(
        meta=meta(), profile_id=HANAKO, lot_id=LOT, points=30, expired_on=20_000
    )
    tell(
        memory,
        [
            earned(100),
            expired,
            PointsAdjusted(meta=meta(), profile_id=HANAKO, points=5, reason="goodwill"),
        ],
    )
    assert held(memory).balance == 75
    tell(
        memory,
        [PointsAdjusted(meta=meta(minute=2), profile_id=HANAKO, points=-80, reason="mistake")],
    )
    assert (held(memory).balance, held(memory).debt) == (-5, 5)


def test_what_an_offline_till_took_says_which_till(memory: Memory) -> None:
    event = spent(5)
    event.meta = meta("STORE", receipt=7)
    tell(memory, [event])
    (row,) = memory.table(entry).values()
    assert (row["lot_id"], row["terminal"]) == (None, "GINZA/1")


def test_a_resend_is_counted_once(memory: Memory) -> None:
    one = earned(100)
    tell(memory, [one, one])
    assert held(memory).balance == 100


def across_rows(memory: Memory) -> dict[tuple[bytes, bytes], int]:
    return owed(list(memory.table(across).values()))


def test_points_of_another_s_lot_are_owed_until_given_back_or_transferred(memory: Memory) -> None:
    theirs = [LotAllocation(profile_id=TARO, lot_id=LOT, points=30)]
    tell(memory, [spent(30, minute=1, allocations=theirs)])
    assert across_rows(memory) == {(HANAKO, TARO): 30}
    back = PointsReinstated(
        meta=meta("STORE", 2),
        profile_id=HANAKO,
        points=10,
        transaction_id=named("other"),
        allocations=[replace(theirs[0], points=10)],
    )
    tell(memory, [back])
    assert across_rows(memory) == {(HANAKO, TARO): 20}
    tell(
        memory,
        [
            PointsTransferred(
                meta=meta("STORE", 3),
                profile_id=HANAKO,
                to_profile_id=TARO,
                points=50,
                reason="settled",
            )
        ],
    )
    assert across_rows(memory) == {}
    tell(memory, [spent(5, minute=4, allocations=[replace(theirs[0], points=5)])])
    assert across_rows(memory) == {(HANAKO, TARO): 5}, "a gift pays no later debt"


def test_a_gift_is_no_debt_and_own_lots_are_not_owed(memory: Memory) -> None:
    tell(
        memory,
        [
            earned(50),
            spent(20, allocations=[LotAllocation(profile_id=HANAKO, lot_id=LOT, points=20)]),
        ],
    )
    tell(
        memory,
        [
            PointsTransferred(
                meta=meta("STORE", 3),
                profile_id=HANAKO,
                to_profile_id=TARO,
                points=10,
                reason="gift",
            )
        ],
    )
    assert across_rows(memory) == {}
