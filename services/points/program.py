"""What does the way in for facts need to know of the points program?

Who gives points at a time, the producers or the program's rules; and whether rules that are sent
can be read.
"""

from __future__ import annotations

from typing import Any, Literal

from psycopg.errors import UndefinedTable

from projections.member.rules import UnreadableRules as UnreadableMatchRules
from projections.member.rules import read_rules as read_match_rules
from schemas.inputs import EventInput, Rejected
from schemas.inputs.catalog import MatchRulesActivatedInput, ProgramRulesSetInput
from services.points.rules import UnreadableRules, read_rules, readable, version_at
from services.points.sales import versions
from services.runtime.db import Pool
from services.runtime.remembered import Remembered

Accrual = Literal["producer", "rules"]
BY_RULES = "RULES"


class Program:
    """The program's versions, read again every few seconds; survives Postgres being away."""

    def __init__(self, pool: Pool, accrual: Accrual) -> None:
        """`accrual`: who gives points where no version of the rules is in force."""
        self._pool, self._accrual = pool, accrual
        self._versions: Remembered[list[dict[str, Any]]] = Remembered(
            self._read, "program rules", oldest=float("inf")
        )

    async def fresh(self) -> bool:
        """Reads what is too old; false when nothing was ever read."""
        return await self._versions.get() is not None

    def rules_earn(self, at: int) -> bool:
        """Whether points of a sale made at `at` (microseconds) are given by rules."""
        row = version_at(self._versions.known or (), at)
        return self._accrual == "rules" if row is None else row["accrual"] == BY_RULES

    async def _read(self) -> list[dict[str, Any]]:
        try:
            async with self._pool.connection() as connection:
                return readable(await versions(connection))
        except UndefinedTable:  # no projector has made its tables yet: there are no rules
            return []


def unreadable(model: EventInput) -> Rejected | None:
    """What is wrong with the rules that an event carries; None when they can be read."""
    try:
        if isinstance(model, ProgramRulesSetInput):
            read_rules(model.rules)
        elif isinstance(model, MatchRulesActivatedInput):
            read_match_rules(model.version, model.rules)
    except (UnreadableRules, UnreadableMatchRules) as error:
        field = "rules" if error.field == "rules" else f"rules.{error.field}"
        return Rejected(field, error.reason)
    return None
