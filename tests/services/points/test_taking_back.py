"""What is taken when there is less than what is due, because others hold it or it is owed?"""

from __future__ import annotations

from uuid import UUID

from projections.point_balance.account import Account, Lot
from services.points.returns.policies import DuePoints, take_back

NOW = 1_750_000_000_000_000
HANAKO, TARO = UUID(int=1), UUID(int=2)


def lot(who: UUID, number: int, left: int, until: int | None = None) -> Lot:
    return Lot(who, UUID(int=number), left, left, NOW - 1, expires_at=until)


def test_other_lots_give_no_more_than_the_member_does_not_owe() -> None:
    account = Account([lot(TARO, 7, 50)], debts={HANAKO: 30})
    taken = take_back([DuePoints((HANAKO, UUID(int=5)), 40)], account, 0, "within_balance", NOW)
    assert (taken.other, taken.debt, taken.forgiven) == (20, 0, 20)
    assert account.lots[0].left == 30


def test_the_soonest_to_end_gives_first_and_what_is_over_or_pending_nothing() -> None:
    over, soon, never = lot(HANAKO, 1, 9, NOW), lot(HANAKO, 2, 9, NOW + 1), lot(HANAKO, 3, 9)
    pending = Lot(HANAKO, UUID(int=4), 9, 9, NOW - 1, active_from=NOW + 1)
    account = Account([over, soon, pending, never])
    taken = take_back([DuePoints((HANAKO, UUID(int=5)), 12)], account, 0, "go_negative", NOW)
    assert taken.lots == {(HANAKO, UUID(int=2)): 9, (HANAKO, UUID(int=3)): 3}
    assert (over.left, soon.left, pending.left, never.left) == (9, 0, 9, 6)


def test_what_a_hold_has_is_not_taken_and_not_forgiven() -> None:
    """Or who holds, brings back and lets go would have gained."""
    due = DuePoints((HANAKO, UUID(int=1)), 40)
    taken = take_back([due], Account([lot(HANAKO, 1, 10)]), 25, "within_balance", NOW)
    assert (taken.active, taken.debt, taken.forgiven, taken.points) == (10, 25, 5, 35)
    kept = take_back([due], Account([lot(HANAKO, 1, 10)]), 25, "withhold_from_refund", NOW)
    assert (kept.active, kept.debt, kept.withheld, kept.points) == (10, 0, 30, 10)


def test_an_ended_lot_is_emptied_without_being_missed() -> None:
    ended = lot(HANAKO, 1, 10, NOW)
    due = DuePoints((HANAKO, UUID(int=1)), 40, lapsed=25)
    taken = take_back([due], Account([ended]), 0, "go_negative", NOW)
    assert (taken.lapsed, taken.debt, taken.points, ended.left) == (35, 5, 15, 0)
    assert taken.lapsed_of == {(HANAKO, UUID(int=1)): 25}
