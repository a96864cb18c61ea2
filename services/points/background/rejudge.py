"""Judges the sales of the past again, by what is known and meant today (`hitotsu points rejudge`).

An upgrade judges nothing again: what was decided about points stands. Here the members are gone
through, and all their sales since a time are judged as the accrual judges new ones. Only the
difference from the earlier decisions becomes events, so a second run finds nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from projections.core.instants import micros
from projections.point_balance.account import account, lots_and_draws
from projections.point_balance.programs import of_program
from services.points.background.accrual import judge
from services.points.holds.balances import members_of
from services.points.program.entries import Fact, entries_of
from services.points.program.programs import USUAL, Program, Programs, in_force
from services.points.program.rules import EarningRules, readable
from services.points.program.sales import versions
from services.points.returns.effective_balances import EffectiveBalances
from services.runtime.db import Connection
from services.runtime.rows import rows_of

MEMBERS_AT_ONCE = 50
NAMESPACE = UUID("6a4f5a0e-7d5b-5c86-9a3e-2f4b1d0c8e57")
FIRST = UUID(int=0)
OWNERS = """
select distinct owner_id as profile_id from sale
where owner_id > %s and owner_id <> transaction_id and occurred_at >= %s
order by 1 limit %s
"""
CLAIMERS = """
select distinct c.profile_id from purchase_claim c join sale s using (transaction_id)
where c.profile_id > %s and s.owner_id = s.transaction_id and s.occurred_at >= %s
order by 1 limit %s
"""
SALES = """
select transaction_id from sale where owner_id = any(%(profiles)s) and occurred_at >= %(since)s
union
select transaction_id from purchase_claim c join sale s using (transaction_id)
where c.profile_id = any(%(profiles)s) and s.owner_id = s.transaction_id
    and s.occurred_at >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class DecidedEvent:
    """An event that follows from judging again. `points`: what it adds to the profile, signed."""

    event_id: UUID
    event_type: str
    transaction_id: UUID | None
    points: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class RejudgedBalance:
    """The points of a profile in a program before and after: `balance`, `pending` and `debt`."""

    profile_id: UUID
    program: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    events: tuple[DecidedEvent, ...]


@dataclass(slots=True)
class RejudgeReport:
    """The result. `correlation_id`: the one that all its events carry. `sales`: number judged."""

    correlation_id: UUID
    sales: int = 0
    balances: list[RejudgedBalance] = field(default_factory=list)


async def program_zone(connection: Connection, program: Program) -> ZoneInfo:
    """The time zone of the program's rules in force now; without, that of rules which name none."""
    row = in_force(readable(await versions(connection)), program, micros(datetime.now(UTC)))
    rules: EarningRules = row["read"] if row else EarningRules()
    return rules.zone


async def rejudge(
    connection: Connection, group: str, since: int, dry_run: bool, programs: Programs = USUAL
) -> RejudgeReport:
    """Judges all sales that were made at or after `since` (microseconds), member by member.

    `connection`: in autocommit mode, with the group's schema on the search path. `dry_run`: every
    transaction is rolled back. Interrupted, the next run does the rest.
    """
    report = RejudgeReport(uuid5(NAMESPACE, f"rejudge since {since}"))
    async for profiles in _members(connection, since):
        values = {"profiles": profiles, "since": since}
        sales = [row["transaction_id"] for row in await rows_of(connection, SALES, values)]
        async with connection.transaction(force_rollback=dry_run):
            here = await judge(connection, group, sales, programs, report.correlation_id)
        report.sales += len(sales)
        if here is not None:
            report.balances += _changed(here)
    return report


async def _members(connection: Connection, since: int) -> AsyncIterator[list[UUID]]:
    """All profiles of some members at a time, each once."""
    done: set[UUID] = set()
    for statement in (OWNERS, CLAIMERS):
        last = FIRST
        while rows := await rows_of(connection, statement, [last, since, MEMBERS_AT_ONCE]):
            last = rows[-1]["profile_id"]
            fresh = {row["profile_id"] for row in rows} - done
            members = await members_of(connection, fresh)
            profiles = fresh.union(*members.values())
            done |= profiles
            if profiles:
                yield sorted(profiles)


def _changed(here: EffectiveBalances) -> list[RejudgedBalance]:
    """The balances of the profiles, by program, that the decided events touch."""
    new = {UUID(bytes=fact.meta.event_id) for fact in here.facts}
    touched = {
        (row["profile_id"], here.programs.of(row["program_id"]).id)
        for fact in here.facts
        for row in entries_of(fact)
    }
    changed = []
    for profile_id, program in sorted(touched):
        rows = of_program(here.entries.get(profile_id, []), program, here.programs.default_id)
        before = [row for row in rows if row["event_id"] not in new]
        held = here.held.get(profile_id, {})
        changed.append(
            RejudgedBalance(
                profile_id,
                program,
                _points(before, here.at, held),
                _points(rows, here.at, held),
                tuple(_events(here.facts, profile_id, program)),
            )
        )
    return changed


def _points(rows: Iterable[Mapping[str, Any]], at: int, held: Any) -> dict[str, int]:
    found = account(*lots_and_draws(rows), at, held)
    return {"balance": found.balance, "pending": found.pending, "debt": found.debt}


def _events(facts: Sequence[Fact], profile_id: UUID, program: str) -> Iterable[DecidedEvent]:
    for fact in facts:
        if fact.program_id != program:
            continue
        own = [row["points"] for row in entries_of(fact) if row["profile_id"] == profile_id]
        sale = getattr(fact, "transaction_id", None)
        if own:
            yield DecidedEvent(
                UUID(bytes=fact.meta.event_id), fact.NAME, sale and UUID(bytes=sale), sum(own),
                getattr(fact, "reason", None),
            )  # fmt: skip
