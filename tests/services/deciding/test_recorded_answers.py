"""Is a command answered with the same bytes as before decisions ended in typed outcomes?

An answer is stored under its key and told again for as long as keys are kept, so no byte of it may
change by accident. `recorded_answers.json` has what release 0.3 answered to the same commands; only
the sentences in `detail` were reworded since, and `withheld` tells its currency.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from infra.backend import Endpoints
from services.deciding.answers import Answer, OutcomeAnswers
from services.deciding.outcomes import AcceptedCommand, DeniedCommand
from services.identity.review.answers import ANSWERS as REVIEW
from services.identity.review.work import IdentityWork
from services.points.holds.answers import ANSWERS as HOLDS
from services.points.holds.decide import PointsState
from services.points.holds.decide import decide as decide_points
from services.points.returns.answers import ANSWERS as RETURNS
from services.points.returns.commands import ReturnBody, ReturnRequest
from services.points.returns.decide import ReturnsState
from services.points.returns.decide import decide as decide_returns
from services.stock.answers import ANSWERS as STOCK
from services.stock.decide import StockState
from services.stock.decide import decide as decide_stock
from tests.services.deciding import drawn_commands as drawn
from tests.services.identity import drawn_verdicts

RECORDED: dict[str, list[Any]] = json.loads(
    Path(__file__).with_name("recorded_answers.json").read_text(encoding="utf-8")
)
POSITION = {"position": drawn.POSITION}
DOMAINS = {"stock": STOCK, "holds": HOLDS, "returns": RETURNS, "identity": REVIEW}


def same(domain: str, answers: list[Answer]) -> None:
    assert [[answer.status, answer.body] for answer in answers] == RECORDED[domain]


def test_stock_answers_the_same_bytes() -> None:
    answers = list[Answer]()
    for batch in drawn.stock_batches(50):
        decided = decide_stock(batch.commands, StockState(batch.shelf, batch.holds, drawn.NOW))
        answers += STOCK.all_of(decided.outcomes, POSITION)
    same("stock", answers)


def test_holds_of_points_answer_the_same_bytes() -> None:
    answers = list[Answer]()
    for batch in drawn.points_batches(50):
        state = PointsState(batch.purses, batch.holds, drawn.NOW, batch.unseen)
        answers += HOLDS.all_of(decide_points(batch.commands, state).outcomes, POSITION)
    same("holds", answers)


def test_returns_answer_the_same_bytes() -> None:
    answers = list[Answer]()
    apart = drawn.return_in_another_unit(), drawn.return_in_unknown_program()
    for batch in (*drawn.returns_batches(50), *apart):
        state = ReturnsState(batch.here, batch.sales, batch.terms, {}, batch.unseen, batch.declared)
        commands = [ReturnRequest(ReturnBody.model_validate(body)) for body in batch.bodies]
        answers += RETURNS.all_of(decide_returns(commands, state).outcomes, POSITION)
    same("returns", answers)


@pytest.mark.servers
async def test_verdicts_of_staff_answer_the_same_bytes(servers: Endpoints) -> None:
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute("create database recorded_verdicts")
    dsn = make_conninfo(servers.postgres, dbname="recorded_verdicts")
    drawn_verdicts.fill(dsn)
    work = IdentityWork(drawn_verdicts.seen, drawn_verdicts.ids())
    connect = AsyncConnection.connect(drawn_verdicts.connection_of(dsn), autocommit=True)
    async with await connect as connection:
        same("identity", await work.decide(connection, None, drawn_verdicts.verdicts(60)))


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_every_outcome_has_what_its_answer_needs(domain: str) -> None:
    """The table of a domain names each outcome, and each has the members that are promised."""
    answers = DOMAINS[domain]
    assert _declared(answers) <= set(map(_name, (*answers.accepted, *answers.denied)))
    shared = set(POSITION) if domain != "identity" else set()
    for kind, yes in answers.accepted.items():
        needed = {name for name, one in yes.model.model_fields.items() if one.is_required()}
        names = {one.name for one in fields(kind)}
        assert needed - {"position"} <= names <= set(yes.model.model_fields), kind
    for no, problem in answers.denied.items():
        always = {name for name, one in problem.members.items() if not isinstance(one, tuple)}
        assert always <= {one.name for one in fields(no)} | shared, no
        assert no.detail is not DeniedCommand.detail, no


def test_every_kind_of_outcome_was_recorded() -> None:
    """A type of problem that nothing was recorded of would be compared with nothing."""
    for domain, answers in DOMAINS.items():
        told = {json.loads(body).get("type") for _, body in RECORDED[domain]}
        assert {problem.uri for problem in answers.denied.values()} <= told, domain


def _name(kind: type) -> tuple[str, str]:
    """What a class is called: one with slots takes the place of another of the same name."""
    return kind.__module__, kind.__name__


def _declared(answers: OutcomeAnswers) -> set[tuple[str, str]]:
    """Every outcome of the module that the domain's accepted ones are declared in."""
    own = {kind.__module__ for kind in answers.accepted}
    kinds = {*AcceptedCommand.__subclasses__(), *DeniedCommand.__subclasses__()}
    return {_name(kind) for kind in kinds if kind.__module__ in own}
