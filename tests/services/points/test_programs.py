"""Are programs boundaries: rules, lots, holds and limits of one never touch another's?"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from projections.core.instants import micros
from projections.point_balance.account import account, lots_and_draws
from services.points.holds import commands
from services.points.holds.decide import PointsState, decide
from services.points.holds.outcomes import PointsHeld, PointsSpent, TooFewPoints
from services.points.holds.purse import Purse
from services.points.program.accrual_source import ProgramVersions
from services.points.program.programs import DEFAULT, Program, Programs, in_force, programs_at
from services.points.program.rules import readable
from services.points.returns.effective_balances import EffectiveBalances
from services.points.returns.settlement import Judgement, Terms
from tests.services.points.member import DAY, T0, Member
from tests.services.points.test_currencies import rules_of

PRIME = Program("prime")
WHO = UUID(int=1)
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def rules_row(program: str, valid_from: int, accrual: str = "RULES") -> dict[str, Any]:
    return {
        "program_id": program, "valid_from": valid_from, "set_at": valid_from,
        "version": f"{program} {valid_from}", "accrual": accrual, "rules": "{}",
    }  # fmt: skip


def move(program: str, at: int, joined: bool = True, event: int = 1) -> dict[str, Any]:
    return {
        "event_id": UUID(int=event), "profile_id": WHO, "program_id": program, "joined": joined,
        "at": at,
    }  # fmt: skip


def test_newer_rules_of_another_program_replace_none() -> None:
    rows = [rules_row("hitotsu-points", 1), rules_row("prime", 5), rules_row("prime", 9)]
    assert in_force(rows, DEFAULT, 10) == rows[0]
    assert in_force(rows, PRIME, 8) == rows[1]
    assert in_force(rows, PRIME, 4) is None


def test_a_member_without_a_program_belongs_to_the_default_one() -> None:
    programs = Programs("club")
    assert programs_at({}, [WHO], 5, programs) == [Program("club", default=True)]
    moves = {WHO: [move("prime", 10), move("prime", 20, joined=False, event=2)]}
    assert programs_at(moves, [WHO], 9, programs) == [programs.default]
    assert programs_at(moves, [UUID(int=2), WHO], 10, programs) == [PRIME]
    assert programs_at(moves, [WHO], 19, programs) == [PRIME]
    assert programs_at(moves, [WHO], 20, programs) == [programs.default]


def test_what_was_told_of_one_time_does_not_depend_on_its_order() -> None:
    rows = [move("prime", 10, event=1), move("prime", 10, joined=False, event=2)]
    for order in (rows, rows[::-1]):
        assert programs_at({WHO: order}, [WHO], 10, Programs()) == [DEFAULT]


def test_a_sale_earns_in_each_program_and_ids_of_before_stay() -> None:
    who = Member(rules_of())
    sale = who.sales[who.buys([(1, 1_000)])]
    (before,) = who.facts
    made = []
    for program in (DEFAULT, PRIME):
        judgement = Judgement(
            sale, Terms(rules_of(), "1", True, program=program), {}, Member(rules_of())._holder(),
            T0,
        )  # fmt: skip
        judgement.earn()
        (fact,) = judgement.judged().facts
        made.append(fact)
        assert {row.program_id for row in judgement.judged().decided.values()} == {program.stored}
    assert [fact.program_id for fact in made] == ["hitotsu-points", "prime"]
    assert made[0] == before
    assert made[1].meta.event_id != before.meta.event_id
    assert made[1].lots[0].lot_id != before.lots[0].lot_id  # type: ignore[union-attr]


def test_a_return_takes_back_what_each_program_gave() -> None:
    """A member of two programs, which give 1 and 5 for a hundred, brings half of it back."""
    buyer = Member(rules_of())
    sale = buyer.sales[buyer.buys([(2, 1_000)])]
    here = EffectiveBalances(NOW, {}, {}, {}, {}, {}, Counter())
    sums = {}
    for program, points in ((DEFAULT, 1), (PRIME, 5)):
        terms = Terms(rules_of(earn=[{"points": points, "per": 100}]), "1", True, program=program)
        rows: dict[int, Any] = {}
        for returned in ({}, {1: 1}):
            told = replace(sale, returned=returned)
            judgement = Judgement(told, terms, rows, here.holder(buyer.profile_id, program), T0)
            judgement.earn()
            judgement.give_and_take()
            found = judgement.judged()
            rows |= found.decided
            here.tell(found.facts)
        sums[program.id] = sum(
            row["points"] for row in here.holder(buyer.profile_id, program).entries
        )
    assert sums == {"hitotsu-points": 5, "prime": 25}


def purse_of(points: int) -> Purse:
    row = {
        "event_id": uuid4(), "number": 0, "profile_id": WHO, "lot_id": uuid4(), "kind": "earned",
        "points": points, "at": T0, "active_from": None, "expires_at": None,
        "transaction_id": None, "line_no": None,
    }  # fmt: skip
    at = micros(NOW)
    return Purse(account(*lots_and_draws([row]), at, {}), at, 1)


def test_points_of_one_program_do_not_pay_in_another() -> None:
    state = PointsState({(WHO, ""): purse_of(100), (WHO, "prime"): purse_of(7)}, {}, NOW)
    said: dict[str, Any] = {"profile_id": WHO, "channel": "EC"}
    other = commands.HoldBody.model_validate({**said, "points": 8, "program": "prime"})
    fits = commands.HoldBody.model_validate({**said, "points": 7, "program": "prime"})
    never = commands.RedeemBody.model_validate({**said, "points": 1, "program": "club"})
    named = commands.RedeemBody.model_validate({**said, "points": 60, "program": DEFAULT.id})
    usual = commands.RedeemBody.model_validate({**said, "points": 50})
    ids = [uuid4() for _ in range(3)]
    decided = decide(
        [
            commands.Hold(uuid4(), "ec", other), commands.Hold(ids[0], "ec", fits),
            commands.Redeem(uuid4(), "ec", never), commands.Redeem(ids[1], "ec", named),
            commands.Redeem(uuid4(), "ec", usual),
            commands.Capture(ids[0], commands.CaptureBody()),
        ],
        state,
    )  # fmt: skip
    kinds = [type(one) for one in decided.outcomes[:5]]
    assert kinds == [TooFewPoints, PointsHeld, TooFewPoints, PointsSpent, TooFewPoints]
    assert [one.available for one in decided.outcomes[:5]] == [7, 0, 0, 40, 40]  # type: ignore[union-attr]
    assert [fact.program_id for fact in decided.facts] == [DEFAULT.id, "prime"]
    assert {line.program_id for line in decided.made} == {"", "prime"}


def test_forgiven_points_and_open_holds_are_the_programs_own() -> None:
    here = EffectiveBalances(NOW, {}, {}, {}, {}, {(WHO, "prime"): 9}, Counter())
    here.forgive(WHO, 30, PRIME)
    here.forgive(WHO, -10, DEFAULT)
    assert here.holder(WHO, PRIME).forgiven == 30
    assert here.holder(WHO).forgiven == 0
    assert (here.holder(WHO, PRIME).open_holds, here.holder(WHO).open_holds) == (9, 0)
    assert here.changed == {(WHO, "prime")}


def test_the_source_of_points_is_the_programs(monkeypatch: Any) -> None:
    at = micros(datetime.now(UTC) - timedelta(days=1))
    rows = [rules_row("hitotsu-points", at - DAY, "PRODUCER"), rules_row("prime", at - DAY)]
    known = ProgramVersions(None, "producer")  # type: ignore[arg-type]
    monkeypatch.setattr(known._versions, "_value", readable(rows))
    monkeypatch.setattr(known._versions, "_read_at", float("inf"))
    assert known.refused(at) is None
    assert known.refused(at, "hitotsu-points") is None
    assert known.refused(at, "club") is None
    assert "rules give points" in str(known.refused(at, "prime"))
