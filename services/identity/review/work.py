"""How is a batch of staff's decisions decided? Under the locks of their cases, and stored at once.

A case is decided once: who comes second is told what the first decided. What is decided is a fact
through the outbox; the case ends in the very transaction, and the pair's last word is kept there
too, so that the matcher does not ask again while the fact is on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from projections.core.instants import micros
from services.deciding import outbox
from services.deciding.answers import Answer, refused
from services.http.problem_type import ProblemType
from services.identity import store
from services.identity.pairs import Found, Pair
from services.identity.review.answers import (
    CASE_CLOSED,
    NO_SUCH_CASE,
    NO_SUCH_PROFILE,
    NOT_LINKED,
    ONLY_PROFILE,
)
from services.identity.review.commands import (
    Command,
    OfCase,
    OfPair,
    PersonDecides,
    SplitMember,
    Verdict,
)
from services.identity.review.facts import OUTCOMES, decision_of, fact_of
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
Seen = Callable[[Pair], tuple[str | None, Found | None]]


class IdentityWork:
    """Decides in the transaction it is given; `seen` is how the rules see a pair now."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    async def see(self, connection: Connection, commands: Sequence[Command]) -> None:
        """People decide seldom: one batch at a time over all processes, whatever it is about."""
        await connection.execute(LOCK)

    async def decide(
        self, connection: Connection, seen: None, commands: Sequence[Command]
    ) -> list[Answer]:
        """One after the other: each sees what the one before it did."""
        return [await self._decided(connection, one) for one in commands]

    async def _decided(self, connection: Connection, command: Command) -> Answer:
        if isinstance(command, OfCase):
            return await self._case(connection, command)
        if isinstance(command, OfPair):
            return await self._pair(connection, command)
        return await self._split(connection, command)

    async def _case(self, connection: Connection, command: OfCase) -> Answer:
        rows = await rows_of(connection, CASE, [command.case_id])
        if not rows:
            return _no(NO_SUCH_CASE, "There is no such case.")
        (case,) = rows
        if case["closed_at"] is not None:
            said = {name: case[name] for name in ("outcome", "actor", "reason")}
            return _no(CASE_CLOSED, "The case is closed.", **said)
        pair = (case["profile_id"].bytes, case["other_profile_id"].bytes)
        found = Found(case["weight"], tuple(case["evidence"]))
        about = (case["rule_version"], found)
        events = await self._tell(connection, command.verdict, {pair: about}, command.body)
        return _yes(OUTCOMES[command.verdict], events, case_id=command.case_id)

    async def _pair(self, connection: Connection, command: OfPair) -> Answer:
        body = command.body
        asked = [body.profile_id, body.other_profile_id]
        known = {row["profile_id"] for row in await rows_of(connection, KNOWN, [asked])}
        missing = [one for one in asked if one not in known]
        if missing:
            detail = "Such a profile is not known, or was erased."
            return _no(NO_SUCH_PROFILE, detail, profile_ids=missing)
        if command.verdict == "unlink" and not await _together(connection, *asked):
            detail = "The two profiles are not one member; decline says that they never are."
            return _no(NOT_LINKED, detail)
        pair = pair_of(body.profile_id.bytes, body.other_profile_id.bytes)
        events = await self._tell(connection, command.verdict, {pair: self._seen(pair)}, body)
        return _yes(OUTCOMES[command.verdict], events)

    async def _split(self, connection: Connection, command: SplitMember) -> Answer:
        one = command.body.profile_id
        rows = await rows_of(connection, GROUP, [one])
        if not rows:
            return _no(NO_SUCH_PROFILE, "Such a profile is not known.", profile_ids=[one])
        others = [each for each in rows[0]["profiles"] if each != one]
        if not others:
            return _no(ONLY_PROFILE, "The profile is the only one of its member.")
        pairs = [pair_of(one.bytes, other.bytes) for other in others]
        about = {pair: self._seen(pair) for pair in pairs}
        events = await self._tell(connection, "unlink", about, command.body)
        return _yes("unlinked", events, profile_ids=others)

    async def _tell(
        self,
        connection: Connection,
        verdict: Verdict,
        about: Mapping[Pair, tuple[str | None, Found | None]],
        body: PersonDecides,
    ) -> list[UUID]:
        """One fact a pair; a statement for all of them, for a member may have hundreds."""
        now = micros((await rows_of(connection, NOW, []))[0]["now"])
        ids = {pair: [UUID(bytes=one) for one in pair] for pair in about}
        rows = await rows_of(connection, BEFORE, list(map(list, zip(*ids.values(), strict=True))))
        before = {
            (row["profile_id"].bytes, row["other_profile_id"].bytes): row["at"] for row in rows
        }
        facts, decisions, closed = [], [], []
        for pair, (version, found) in about.items():
            at = max(now, before.get(pair, 0) + 1)
            evidence, weight = (found.evidence, found.weight) if found else ((), None)
            fact = fact_of(verdict, pair, evidence, version, weight, at, body.actor, body.reason)
            facts.append(fact)
            decisions.append(decision_of(fact, pair, evidence, body.reason))
            event_id = UUID(bytes=fact.meta.event_id)
            closed.append([at, OUTCOMES[verdict], event_id, body.actor, body.reason, *ids[pair]])
        await store.decide(connection, decisions)
        async with connection.cursor() as cursor:
            await cursor.executemany(CLOSE.encode(), closed)
        await outbox.add(connection, facts)
        return [UUID(bytes=fact.meta.event_id) for fact in facts]


async def _together(connection: Connection, one: UUID, other: UUID) -> bool:
    """Whether they are one member, or a person said so and that is on its way."""
    rows = await rows_of(connection, GROUP, [one])
    if rows and other in rows[0]["profiles"]:
        return True
    pair = [UUID(bytes=each) for each in pair_of(one.bytes, other.bytes)]
    return any(row["together"] for row in await rows_of(connection, SAID, pair))


def _yes(outcome: str, events: Sequence[UUID], **more: Any) -> Answer:
    return Answer.of(200, {"outcome": outcome, **more, "event_ids": list(events)})


def _no(problem: ProblemType, detail: str, **more: Any) -> Answer:
    return refused(problem, detail, more)
