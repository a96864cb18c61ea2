"""Review cases in the table `identity_case`: the matcher opens and closes them per pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.identity.pairs import Case, Pair, PairVerdict
from services.runtime.db import Connection
from services.runtime.metrics import CASES_OLDEST, CASES_OPEN
from services.runtime.rows import rows_of

OPEN = """
select case_id, profile_id, other_profile_id from hitotsu.identity_case
where rule_version = %(version)s and closed_at is null
    and (profile_id = any(%(who)s::uuid[]) or other_profile_id = any(%(who)s::uuid[]))
"""
# a closed case whose pair has the same evidence again is opened again
KEEP = """
insert into hitotsu.identity_case (case_id, rule_version, profile_id, other_profile_id, weight,
    evidence, opened_at)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (case_id) do update set weight = excluded.weight, closed_at = null, outcome = null,
    event_id = null, actor = null, reason = null,
    opened_at = case when identity_case.closed_at is null then identity_case.opened_at
        else excluded.opened_at end,
    seen_at = case when identity_case.closed_at is null then identity_case.seen_at
        else clock_timestamp() end
"""
WAITING = """
select count(*), coalesce(extract(epoch from clock_timestamp() - min(seen_at)), 0)
from hitotsu.identity_case where rule_version = %s and closed_at is null
"""
CLOSE = """
update hitotsu.identity_case set closed_at = greatest(opened_at, %s), outcome = %s, event_id = %s,
    actor = %s, reason = %s
where rule_version = %s and profile_id = %s and other_profile_id = %s and closed_at is null
    and case_id is distinct from %s
"""


async def open_of(connection: Connection, version: str, who: Sequence[UUID]) -> set[Pair]:
    """The pairs that have an open case and contain at least one of the profiles in `who`."""
    rows = await rows_of(connection, OPEN, {"version": version, "who": list(who)})
    return {(row["profile_id"].bytes, row["other_profile_id"].bytes) for row in rows}


async def store_cases(
    connection: Connection, version: str, judged: Mapping[Pair, PairVerdict]
) -> None:
    """Opens the case of every verdict that has one; closes all other open cases of these pairs."""
    if not judged:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(
            CLOSE.encode(), [_closing(version, pair, one) for pair, one in judged.items()]
        )
        opened = [_row(version, one.case) for one in judged.values() if one.case is not None]
        if opened:
            await cursor.executemany(KEEP.encode(), opened)


async def measure(connection: Connection, version: str) -> None:
    """Sets two metrics: the number of open cases, and the age of the oldest in seconds."""
    row = await (await connection.execute(WAITING, [version])).fetchone()
    if row is not None:
        CASES_OPEN.set(row[0])
        CASES_OLDEST.set(float(row[1]))


def _row(version: str, case: Case) -> tuple[object, ...]:
    return (
        UUID(bytes=case.case_id), version, *(UUID(bytes=one) for one in case.pair),
        case.found.weight, list(case.found.evidence), case.opened_at,
    )  # fmt: skip


def _closing(version: str, pair: Pair, one: PairVerdict) -> tuple[object, ...]:
    decision = one.decision
    at = decision.decided_at if decision else one.at
    said = (
        (UUID(bytes=decision.event_id), decision.actor, decision.reason)
        if decision
        else (None,) * 3
    )
    left_open = UUID(bytes=one.case.case_id) if one.case else None
    ids = (UUID(bytes=each) for each in pair)
    return (at, one.closed, *said, version, *ids, left_open)
