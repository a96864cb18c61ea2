"""Checks at event intake: who may give points, and whether sent rules can be parsed.

Points of a program are given by producers (tills) or by its rules, as its rule version in force
says; without one in force, as the setting `accrual` says.
"""

from __future__ import annotations

import time
from typing import Any, Literal

from psycopg.errors import UndefinedTable

from projections.member.rules import UnreadableMatchRules as UnreadableMatchRules
from projections.member.rules import read_rules as read_match_rules
from schemas.generated.inputs import EventInput, Rejected
from schemas.generated.inputs.catalog import MatchRulesActivatedInput, ProgramRulesSetInput
from services.points.program.programs import USUAL, Program, Programs, in_force
from services.points.program.rules import UnreadableProgramRules, read_rules, readable
from services.points.program.sales import versions
from services.runtime.cached_table import CachedValue
from services.runtime.db import Pool

Accrual = Literal["producer", "rules"]
BY_RULES = "RULES"
_DAY = 86_400_000_000
# How old an earning may be while rules give points: what a till that was offline still holds.
# Its sender chooses `occurred_at`; without a bound it could name a day before the rules.
EARNED_BEFORE_MAX = 30 * _DAY
# How far a sender's clock may be ahead.
CLOCK_AHEAD_MAX = _DAY // 24


class ProgramVersions:
    """The rule versions of all programs, cached and refreshed every few seconds.

    While Postgres cannot be read, the last versions read remain in use, without a limit of age.
    """

    def __init__(self, pool: Pool, accrual: Accrual, programs: Programs = USUAL) -> None:
        """`accrual`: who gives points when no rule version is in force."""
        self._pool, self._accrual, self._programs = pool, accrual, programs
        self._versions: CachedValue[list[dict[str, Any]]] = CachedValue(
            self._read, "program rules", oldest=float("inf")
        )

    async def fresh(self) -> bool:
        """Refreshes the cache if it is stale; False if the versions have never been read."""
        return await self._versions.get() is not None

    def refused(self, at: int, program_id: str | None = None) -> str | None:
        """Why a producer's earning or reversal is refused; None if it is accepted.

        `at`: `occurred_at` in microseconds. `program_id`: None for the default program. Refused if
        rules give the program's points at that time: by the version in force at `at`, or by the
        setting `accrual` if none is. If the setting is "rules", or rules give points now, it is
        also refused if `at` is more than 30 days ago or an hour ahead.
        """
        program = self._programs.of(program_id)
        if self._rules_earn(program, at):
            return "the program's rules give points at that time: producers may not"
        now = time.time_ns() // 1_000
        near = now - EARNED_BEFORE_MAX <= at <= now + CLOCK_AHEAD_MAX
        if near or not (self._accrual == "rules" or self._rules_earn(program, now)):
            return None
        return (
            "the program's rules give points now; a producer's earning from before these rules is"
            f" accepted only if occurred_at is within the last {EARNED_BEFORE_MAX // _DAY} days"
        )

    def _rules_earn(self, program: Program, at: int) -> bool:
        row = in_force(self._versions.known or (), program, at)
        return self._accrual == "rules" if row is None else row["accrual"] == BY_RULES

    async def _read(self) -> list[dict[str, Any]]:
        try:
            async with self._pool.connection() as connection:
                return readable(await versions(connection))
        except UndefinedTable:  # no projector has made its tables yet: there are no rules
            return []


def unreadable(model: EventInput) -> Rejected | None:
    """Field and reason if the event's rules cannot be parsed; None if they can.

    Concerns program rules and match rules; None for every other event.
    """
    try:
        if isinstance(model, ProgramRulesSetInput):
            read_rules(model.rules)
        elif isinstance(model, MatchRulesActivatedInput):
            read_match_rules(model.version, model.rules)
    except (UnreadableProgramRules, UnreadableMatchRules) as error:
        field = "rules" if error.field == "rules" else f"rules.{error.field}"
        return Rejected(field, error.reason)
    return None
