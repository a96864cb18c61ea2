"""Entries of points by program, opened balances, and who is in which program."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from projections.core.memory import Memory
from projections.point_balance import entry
from projections.point_balance.account import account, lots_and_draws
from projections.point_balance.programs import of_program
from projections.program_membership import joined_at, membership
from schemas.generated.events import (
    BalanceOpened,
    PointsEarned,
    PointsRedeemed,
    PointsReinstated,
    PointsReversed,
    ProgramJoined,
    ProgramLeft,
)
from schemas.generated.events.parts import EarnedLot, LotAllocation, OpenedLot
from schemas.wire.documents import document_of
from tests.projections import saying
from tests.projections.saying import MINUTE, T0, meta, named

HANAKO, DEFAULT = named("hanako"), "hitotsu-points"


def tell(memory: Memory, *events: Any) -> None:
    saying.tell(memory, events)


def earned(points: int, lot: str, program: str | None, **more: Any) -> PointsEarned:
    return PointsEarned(
        meta=meta("EC"), profile_id=HANAKO, lots=[EarnedLot(lot_id=named(lot), points=points)],
        transaction_id=named(f"sale of {lot}"), program_id=program, **more,
    )  # fmt: skip


def rows_of(memory: Memory) -> list[dict[str, Any]]:
    return list(memory.table(entry).values())


def balance(memory: Memory, program: str, minute: int = 60) -> tuple[int, int]:
    """Balance and debt of a program."""
    rows = of_program(rows_of(memory), program, DEFAULT)
    made = account(*lots_and_draws(rows), T0 + minute * MINUTE)
    return made.balance, made.debt


def test_entries_that_name_no_program_are_the_default_ones(memory: Memory) -> None:
    tell(memory, earned(30, "old", None), earned(12, "new", DEFAULT), earned(7, "prime", "prime"))
    assert balance(memory, DEFAULT) == (42, 0)
    assert balance(memory, "prime") == (7, 0)
    assert balance(memory, "club") == (0, 0)


def test_what_a_till_took_unasked_is_drawn_in_its_own_program(memory: Memory) -> None:
    taken = PointsRedeemed(
        meta=meta("STORE", 1), profile_id=HANAKO, points=10, transaction_id=None, hold_id=None,
        allocations=[], program_id="prime",
    )  # fmt: skip
    tell(memory, earned(30, "old", None), earned(7, "prime", "prime"), taken)
    assert balance(memory, DEFAULT) == (30, 0)
    assert balance(memory, "prime") == (-3, 3)


def test_a_lot_decides_whatever_the_event_that_takes_from_it_names(memory: Memory) -> None:
    lot = LotAllocation(profile_id=HANAKO, lot_id=named("prime"), points=5)
    back = PointsReversed(
        meta=meta("STORE", 1), profile_id=HANAKO, points=5, transaction_id=None,
        allocations=[lot], policy=None,
    )  # fmt: skip
    again = PointsReinstated(
        meta=meta("STORE", 2), profile_id=HANAKO, points=2, transaction_id=None,
        allocations=[replace(lot, points=2)], expires_at=None,
    )  # fmt: skip
    tell(memory, earned(30, "old", None), earned(7, "prime", "prime"), back, again)
    assert (balance(memory, DEFAULT), balance(memory, "prime")) == ((30, 0), (4, 0))


def test_how_another_currency_was_converted_is_kept(memory: Memory) -> None:
    tell(
        memory, earned(15, "usd", None, currency="USD", rate="150.25"),
        earned(0, "kwd", None, currency="KWD"), earned(10, "jpy", None),
    )  # fmt: skip
    kept = {row["points"]: row["foreign_money"] for row in rows_of(memory)}
    assert kept == {15: "USD 150.25", 0: "KWD", 10: None}


def opening(event: int, *lots: tuple[int, int | None]) -> BalanceOpened:
    return BalanceOpened(
        meta=meta("OTHER", event), profile_id=HANAKO, program_id="prime",
        lots=[OpenedLot(points=points, expires_at=until) for points, until in lots],
    )  # fmt: skip


def test_an_opened_balance_is_lots_with_their_own_expiry(memory: Memory) -> None:
    tell(memory, opening(1, (4_000, T0 + 90 * MINUTE), (310, None)))
    assert balance(memory, "prime", 60) == (4_310, 0)
    assert balance(memory, "prime", 90) == (310, 0)
    assert balance(memory, DEFAULT) == (0, 0)
    assert len({row["lot_id"] for row in rows_of(memory)}) == 2


def test_an_opening_is_one_document_for_each_profile_and_program() -> None:
    first = document_of(opening(1, (4_000, T0), (310, None)))
    assert first is not None
    assert document_of(opening(2, (310, None), (4_000, T0))) == first
    more = document_of(opening(3, (4_000, T0)))
    assert more is not None and more[0] == first[0] and more[1] != first[1]
    for other in (
        replace(opening(4, (4_000, T0)), program_id=DEFAULT),
        replace(opening(5, (4_000, T0)), profile_id=named("taro")),
    ):
        found = document_of(other)
        assert found is not None and found[0] != first[0]


def test_joined_and_left_tell_who_is_in_which_program(memory: Memory) -> None:
    def moved(kind: type[Any], minute: int, program: str = "prime") -> Any:
        return kind(meta=meta("STORE", minute), profile_id=HANAKO, program_id=program)

    tell(
        memory, moved(ProgramLeft, 30), moved(ProgramJoined, 10), moved(ProgramJoined, 20, "club"),
        moved(ProgramJoined, 40),
    )  # fmt: skip
    rows = list(memory.table(membership).values())
    found = {minute: joined_at(rows, T0 + minute * MINUTE) for minute in (9, 10, 25, 30, 40)}
    at = {minute: T0 + minute * MINUTE for minute in (10, 20, 40)}
    assert found == {
        9: {}, 10: {"prime": at[10]}, 25: {"prime": at[10], "club": at[20]},
        30: {"club": at[20]}, 40: {"prime": at[40], "club": at[20]},
    }  # fmt: skip
