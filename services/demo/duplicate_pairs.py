"""Checks record linkage of customers whose two profiles share no identifier.

Match rules are estimated from the log that was just sent (as `hitotsu identity estimate` does) and
activated (as `hitotsu identity replay --switch` does). Neither step knows the true pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from psycopg import AsyncConnection

from services.demo.common.answers import Answers
from services.demo.common.comparison import ReportRow
from services.demo.shop import names
from services.identity.replay.estimation import estimated
from services.identity.replay.run import replay
from services.identity.review.queue import listed
from services.identity.rules import newest
from services.runtime.config import Settings
from services.runtime.db import conninfo

VERSION, CASES_MAX = "demo", 10_000
Moved = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class LinkageResult:
    """How many customers were linked.

    `wanted`: customers whose profiles share no identifier; `found`: those of them that are one
    member; `apart`: the others. `wrong`: pairs of profiles of two customers in one member. `cases`:
    open cases; `waiting`: customers in `apart` of whom a case is open.
    """

    wanted: int
    found: int
    wrong: int
    cases: int
    waiting: int
    apart: frozenset[int]

    @property
    def precision(self) -> float:
        linked = self.found + self.wrong
        return self.found / linked if linked else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.wanted if self.wanted else 1.0


async def activate_estimated_rules(settings: Settings, moved: Moved) -> bool:
    """Estimates and activates match rules; does nothing and returns False if rules are active."""
    where = conninfo(settings.postgres, group=settings.group, name="demo")
    async with await AsyncConnection.connect(where, autocommit=True) as connection:
        if await newest(connection) is not None:
            return False
    rules = await estimated(settings, VERSION, moved)
    await replay(settings, rules, True, moved)
    return True


async def linkage_result(
    settings: Settings, answers: Answers, customers: Iterable[int], row: ReportRow
) -> LinkageResult:
    """Reads the present result; counts right and wrong members in the report's row `row`."""
    wanted = {one for one in customers if not names.shares_a_phone(one)}
    together: set[int] = set()
    wrong = 0
    async for member in answers.pages("/v1/members"):
        group = answers.profiles(member["profile_ids"])
        inside = {customer for _, customer in group}
        pairs = [(one, other) for n, one in enumerate(group) for other in group[:n]]
        strangers = [pair for pair in pairs if pair[0][1] != pair[1][1]]
        wrong += len(strangers)
        if len(group) == 2 and len(inside) == 1:
            together |= inside
        for pair in strangers:
            row.value(f"one member: {pair}", "two customers", "one member")
    for customer in sorted(wanted & together):
        row.value(f"customer {customer}", True, customer in together)
    apart = frozenset(wanted - together)
    found = await listed(settings, "open", CASES_MAX)
    held = [answers.profiles(map(str, case["profile_ids"])) for case in found]
    waiting = {pair[0][1] for pair in held if len({customer for _, customer in pair}) == 1}
    return LinkageResult(
        len(wanted), len(wanted & together), wrong, len(found), len(waiting & apart), apart
    )
