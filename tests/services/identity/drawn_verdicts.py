"""Members, cases and verdicts of staff, drawn from a fixed seed: the same for every release."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

import psycopg

from projections.core.fold import Group
from projections.member import projection
from services.identity.pairs import Pair, PairEvidence
from services.identity.review.commands import (
    CaseBody,
    OfCase,
    OfPair,
    PairBody,
    SplitBody,
    SplitMember,
)
from services.projector import database
from services.runtime.db import conninfo
from services.state.migrate import migrate

# the first four are one member, two are another, one is alone, one was erased, one is unknown
PROFILES = tuple(UUID(int=number) for number in range(11, 20))
GROUPS = ((0, 1, 2, 3), (4, 5), (6,))
ERASED, UNKNOWN = PROFILES[7], PROFILES[8]
CASES = tuple(UUID(int=number) for number in range(101, 107))
PROFILE = "insert into main.profile (profile_id, erased_at, row_version) values (%s, %s, 1)"
MEMBER = """
insert into main.member_group (profile_id, member_id, profiles, row_version)
values (%s, %s, %s, 1)
"""
CASE = """
insert into hitotsu.identity_case (case_id, rule_version, profile_id, other_profile_id, weight,
    evidence, opened_at, closed_at, outcome, actor, reason)
values (%s, 'v1', %s, %s, 4.25, %s, 1000, %s, %s, %s, %s)
"""


def fill(dsn: str) -> None:
    """A new database gets the tables, and what the verdicts are about."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        migrate(connection)
        database.prepare(dsn, Group("main", (projection,)))
        for profile in PROFILES[:8]:
            connection.execute(PROFILE, [profile, 5 if profile == ERASED else None])
        for group in GROUPS:
            profiles = [PROFILES[place] for place in group]
            for profile in profiles:
                connection.execute(MEMBER, [profile, profiles[0], profiles])
        for place, case_id in enumerate(CASES[:5]):
            closed = (2_000, "linked", "desk-1", "called 客") if place == 4 else (None,) * 4
            pair = sorted((PROFILES[place], PROFILES[6]))
            connection.execute(CASE, [case_id, *pair, ["family:equal"], *closed])


def connection_of(dsn: str) -> str:
    """How a decider connects."""
    return conninfo(dsn, group="main", name="test")


def seen(pair: Pair) -> tuple[str | None, PairEvidence | None]:
    """How the rules see a pair: some of them not at all."""
    if pair[0][-1] % 2:
        return "v1", None
    return "v1", PairEvidence(3.5, ("given:equal", "family:equal"))


def ids(seed: int = 4) -> Callable[[], UUID]:
    """Makes event ids, the same ones each time."""
    draw = Random(seed)
    return lambda: UUID(int=draw.getrandbits(128), version=4)


def verdicts(many: int, seed: int = 5) -> list[Any]:
    """Decisions about cases, pairs and single profiles, known and unknown."""
    draw, said = Random(seed), []
    for number in range(many):
        why = {"actor": f"desk-{number % 3}", "reason": f"reason {number}"}
        verdict, kind = draw.choice(("link", "decline", "unlink")), draw.randrange(4)
        one, other = draw.sample(PROFILES, 2)
        if kind == 0:
            case = draw.choice(CASES)
            said.append(OfCase(case, verdict, CaseBody.model_validate(why)))
        elif kind == 1:
            said.append(SplitMember(SplitBody.model_validate({"profile_id": one, **why})))
        else:
            body = {"profile_id": one, "other_profile_id": other, **why}
            said.append(OfPair(verdict, PairBody.model_validate(body)))
    return said
