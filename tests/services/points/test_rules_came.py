"""Rules that are set have the sales judged again that they concern, and no others."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from infra.backend import Endpoints
from projections.core.instants import DAY
from schemas.calendars import MOVED_MAX
from schemas.generated.events import ProgramRulesSet
from services.following.applied_log import AppliedEvent
from services.points.background.sales_feed import in_force, note_due
from services.runtime.db import conninfo
from tests.projections.driving import Engine
from tests.projections.saying import MINUTE, T0, meta, sold

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]
DAYS, MOVED = 40, MOVED_MAX // DAY
RULES = '{"earn": [{"points": 1, "per": 100}]}'


def rules(program: str, day: int, text: str = RULES) -> ProgramRulesSet:
    return ProgramRulesSet(
        meta=meta(minute=day), program_id=program, version=f"{program} {day}", accrual="RULES",
        rules=text, valid_from=T0 + day * DAY,
    )  # fmt: skip


def test_a_version_concerns_the_time_to_the_next_of_its_program() -> None:
    rows = [{"program_id": name, "valid_from": at} for name, at in (("a", 0), ("a", DAY), ("b", 9))]
    (first, last) = in_force([("a", 0), ("a", DAY)], rows)
    assert first == (-MOVED_MAX, DAY + MOVED_MAX)
    assert last[0] == DAY - MOVED_MAX
    assert last[1] > 2**61


def test_as_many_sales_are_judged_again_as_were_made_under_the_rules(servers: Endpoints) -> None:
    engine = Engine(servers)
    try:
        told: list[Any] = [
            sold("tea", minute=day * DAY // MINUTE, receipt=f"day {day}") for day in range(DAYS)
        ]
        versions = [rules("p", 0), rules("p", 10), rules("p", 13), rules("q", 11)]
        # cannot be read: the version before it stays in force, and is not ended by it
        engine.tell(*told, *versions, rules("p", 11, "{"))
        info = conninfo(engine.dsn, group=engine.group.name)
        counted = asyncio.run(counted_due(info, versions))
    finally:
        engine.close()
    assert counted == [10 + MOVED, 3 + 2 * MOVED, DAYS - 13 + MOVED, DAYS - 11 + MOVED]


async def counted_due(url: str, versions: list[ProgramRulesSet]) -> list[int]:
    """How many sales are due after each of these events."""
    counted = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for event in versions:
            await note_due(connection, [AppliedEvent(event.TOPIC, 0, 0, event)])
            found = await connection.execute("delete from hitotsu.points_due returning 1")
            counted.append(len(await found.fetchall()))
    return counted
