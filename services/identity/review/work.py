"""Decides a batch of staff commands and stores the decisions in one transaction.

All processes share one advisory lock, so that never two batches run in parallel. A closed case is
not decided again: the denial has the outcome with which it was closed. The decision's event goes
through the outbox. The case is closed in the same transaction, and the pair's decision is stored
too, so that the matcher does not open a new case while the event is on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from projections.core.instants import micros
from services.deciding import outbox
from services.deciding.answers import Answer
from services.deciding.outcomes import CommandOutcome
from services.identity import store
from services.identity.pairs import Pair, PairEvidence
from services.identity.review.answers import ANSWERS
from services.identity.review.commands import Command, OfCase, OfPair, SplitMember
from services.identity.review.decide import (
    CaseState,
    DecidedReview,
    PairView,
    ReviewState,
    decide,
)
from services.identity.review.facts import verdict_of
from services.identity.shards import pair_of
from services.runtime.db import Connection
from services.runtime.rows import rows_of

LOCK = "select pg_advisory_xact_lock(hashtext('hitotsu.identity'))"
NOW = "select clock_timestamp() as now"
CASE = "select * from hitotsu.identity_case where case_id = %s for update"
KNOWN = """
select profile_id from profile where profile_id = any(%s::uuid[]) and erased_at is null
"""
GROUP = """
select whole.member_id, whole.profiles from member_group own
join member_group whole on whole.profile_id = own.member_id where own.profile_id = %s
"""
BEFORE = """
select d.profile_id, d.other_profile_id, d.decided_at as at from hitotsu.match_decision d
join unnest(%s::uuid[], %s::uuid[]) as x(profile_id, other_profile_id)
    using (profile_id, other_profile_id)
"""
SAID = """
select together from hitotsu.match_decision where profile_id = %s and other_profile_id = %s
"""
CLOSE = """
update hitotsu.identity_case set closed_at = greatest(opened_at, %s), outcome = %s, event_id = %s,
    actor = %s, reason = %s
where profile_id = %s and other_profile_id = %s and closed_at is null
"""
Seen = Callable[[Pair], PairView]


class IdentityWork:
    """Decides commands in the caller's transaction; `seen` returns how the rules compare a pair."""

    def __init__(self, seen: Seen, new_id: Callable[[], UUID] = uuid4) -> None:
        """`new_id` makes the ids of events."""
        self._seen, self._new_id = seen, new_id

    async def see(self, connection: Connection, commands: Sequence[Command]) -> None:
        """Takes the advisory lock that all processes share (staff decide rarely); reads nothing."""
        await connection.execute(LOCK)

    async def decide(
        self, connection: Connection, seen: None, commands: Sequence[Command]
    ) -> list[Answer]:
        """Decides the commands in order: a command sees the effects of those before it.

        Stores the decisions; returns the answers in the order of the commands.
        """
        return ANSWERS.all_of([await self._outcome(connection, command) for command in commands])

    async def _outcome(self, connection: Connection, command: Command) -> CommandOutcome:
        state = await self._state(connection, command)
        decided = decide(command, state, self._new_id)
        if decided.facts:
            await _keep(connection, command, decided)
        return decided.outcome

    async def _state(self, connection: Connection, command: Command) -> ReviewState:
        if isinstance(command, OfCase):
            return await _state_of_case(connection, command)
        if isinstance(command, OfPair):
            return await self._state_of_pair(connection, command)
        return await self._state_of_member(connection, command)

    async def _state_of_pair(self, connection: Connection, command: OfPair) -> ReviewState:
        asked = [command.body.profile_id, command.body.other_profile_id]
        pair = pair_of(asked[0].bytes, asked[1].bytes)
        return ReviewState(
            now=await _now(connection),
            known={row["profile_id"] for row in await rows_of(connection, KNOWN, [asked])},
            together=command.verdict == "unlink" and await _together(connection, *asked),
            views={pair: self._seen(pair)},
            decided_at=await _decided_at(connection, [pair]),
        )

    async def _state_of_member(self, connection: Connection, command: SplitMember) -> ReviewState:
        profile_id, now = command.body.profile_id, await _now(connection)
        rows = await rows_of(connection, GROUP, [profile_id])
        if not rows:
            return ReviewState(now=now)
        others = tuple(other for other in rows[0]["profiles"] if other != profile_id)
        pairs = [pair_of(profile_id.bytes, other.bytes) for other in others]
        return ReviewState(
            now=now,
            others=others,
            views={pair: self._seen(pair) for pair in pairs},
            decided_at=await _decided_at(connection, pairs),
        )


async def _state_of_case(connection: Connection, command: OfCase) -> ReviewState:
    rows = await rows_of(connection, CASE, [command.case_id])
    now = await _now(connection)
    if not rows:
        return ReviewState(now=now)
    (row,) = rows
    pair = (row["profile_id"].bytes, row["other_profile_id"].bytes)
    case = CaseState(
        pair=pair,
        view=(row["rule_version"], PairEvidence(row["weight"], tuple(row["evidence"]))),
        closed=row["closed_at"] is not None,
        outcome=row["outcome"],
        actor=row["actor"],
        reason=row["reason"],
    )
    return ReviewState(now=now, case=case, decided_at=await _decided_at(connection, [pair]))


async def _now(connection: Connection) -> int:
    """The time in microseconds, read from Postgres under the lock."""
    return micros((await rows_of(connection, NOW, []))[0]["now"])


async def _decided_at(connection: Connection, pairs: Sequence[Pair]) -> Mapping[Pair, int]:
    """The time of the latest staff decision on each pair; one query for all, since there may be
    hundreds.
    """
    sides: list[list[Any]] = [[UUID(bytes=pair[side]) for pair in pairs] for side in (0, 1)]
    rows = await rows_of(connection, BEFORE, sides)
    return {(row["profile_id"].bytes, row["other_profile_id"].bytes): row["at"] for row in rows}


async def _keep(connection: Connection, command: Command, decided: DecidedReview) -> None:
    """Stores the decision on each pair, closes its cases, and adds the events to the outbox."""
    body = command.body
    closed = [
        [fact.meta.occurred_at, verdict_of(fact), UUID(bytes=fact.meta.event_id), body.actor,
         body.reason, UUID(bytes=fact.profile_id), UUID(bytes=fact.other_profile_id)]
        for fact in decided.facts
    ]  # fmt: skip
    await store.decide(connection, decided.decisions)
    async with connection.cursor() as cursor:
        await cursor.executemany(CLOSE.encode(), closed)
    await outbox.add(connection, decided.facts)


async def _together(connection: Connection, one: UUID, other: UUID) -> bool:
    """Whether both are one member, or the last staff decision links them."""
    rows = await rows_of(connection, GROUP, [one])
    if rows and other in rows[0]["profiles"]:
        return True
    pair = [UUID(bytes=side) for side in pair_of(one.bytes, other.bytes)]
    return any(row["together"] for row in await rows_of(connection, SAID, pair))
