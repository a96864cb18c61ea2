"""Erases persons: plans the profiles, appends events, destroys keys, and waits for the projector.

The plan (profiles and event ids) is stored first, so that a run after a crash erases the same
profiles and appends identical events, which count as duplicates. The `SubjectErased` event makes
every projection forget the subject, also in a rebuild; destroying the subject key makes the log's
sealed fields unreadable. The erasure is complete when the projector has applied this record; an
applied event id is not enough, because another event could have it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from schemas.generated.events import Meta, Producer, SubjectErased
from schemas.wire.codec import encode, same_event
from services.runtime.db import Pool
from services.runtime.keys import SubjectKeys
from services.runtime.letters_about import ABOUT
from services.runtime.producer import Producer as KafkaProducer
from services.runtime.producer import record_of

SYSTEM = "hitotsu"

_WHO = """
WITH asked AS (SELECT DISTINCT unnest(%(ids)s::uuid[]) AS id)
SELECT asked.id AS asked, them.profile_id, them.member_id
FROM asked JOIN member_group AS own ON own.profile_id = asked.id
JOIN member_group AS them USING (member_id)
UNION
SELECT asked.id, them.profile_id, them.member_id
FROM asked JOIN hitotsu.erasure AS own ON asked.id IN (own.profile_id, own.member_id)
JOIN hitotsu.erasure AS them USING (member_id)
UNION
SELECT asked.id, asked.id, asked.id
FROM asked JOIN hitotsu.subject_key AS key ON key.subject = uuid_send(asked.id)
WHERE NOT EXISTS (SELECT FROM member_group WHERE profile_id = asked.id)
  AND NOT EXISTS (SELECT FROM hitotsu.erasure WHERE asked.id IN (profile_id, member_id))
"""
_PLAN = """
INSERT INTO hitotsu.erasure (profile_id, member_id, event_id, asked_at, reason, actor)
SELECT profile_id, member_id, event_id, now(), %s, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS plan(profile_id, member_id, event_id)
ON CONFLICT (profile_id) DO NOTHING
"""
_PLANNED = "SELECT * FROM hitotsu.erasure WHERE profile_id = ANY(%s) ORDER BY member_id, profile_id"
_APPENDED = """
UPDATE hitotsu.erasure SET topic = %s, partition = %s, "offset" = %s WHERE profile_id = %s
"""
_DESTROYED = """
UPDATE hitotsu.erasure SET destroyed_at = coalesce(destroyed_at, now()) WHERE profile_id = %s
"""
_APPLIED = """
SELECT l.event_id, t.name AS topic, l.partition, l."offset", l.hash, l.schema_id
FROM ledger l JOIN hitotsu.topic t ON t.no = l.topic WHERE l.event_id = ANY(%s)
"""
# the next run appends the event under a new id
_ANOTHER_ID = """
UPDATE hitotsu.erasure SET event_id = %s, topic = NULL, partition = NULL, "offset" = NULL,
    finished_at = NULL WHERE profile_id = %s
"""
_DEAD_LETTERS = f"""
WITH emptied AS (
    UPDATE hitotsu.dead_letter AS l
    SET record_value = NULL, headers = '[]', note = 'the person was erased',
        status = CASE status WHEN 'open' THEN 'dropped' ELSE status END,
        resolved_at = coalesce(resolved_at, now())
    WHERE {ABOUT.format(subject="%(subject)s::bytea")}
      AND (record_value IS NOT NULL OR headers <> '[]') RETURNING 1
)
UPDATE hitotsu.erasure SET finished_at = coalesce(finished_at, now()),
    dead_letters = dead_letters + (SELECT count(*) FROM emptied)
WHERE profile_id = %(profile)s
"""


class NobodyKnown(LookupError):
    """Some of the ids are unknown: no member, profile or subject key has them."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        super().__init__(f"no member or profile has the id {', '.join(map(str, ids))}")
        self.ids = list(ids)


class NotAppliedYet(TimeoutError):
    """The events are in Kafka and the keys are destroyed, but not all events are applied yet."""


class IdTaken(RuntimeError):
    """Another event with an erasure's event id was applied, so the rows were not erased.

    A new event id is stored, so that the erasure can be run again.
    """

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__(
            f"{len(places)} erasures are not done: another event has their event id, "
            f"at {', '.join(places)}"
        )


@dataclass(frozen=True, slots=True)
class ErasedProfile:
    """What was done about one profile; a time or offset is None until its step is done."""

    profile_id: UUID
    member_id: UUID
    event_id: UUID | None  # None: not planned yet
    asked_at: datetime
    reason: str | None
    actor: str | None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    destroyed_at: datetime | None = None
    dead_letters: int = 0
    finished_at: datetime | None = None


class Erasure:
    """Erases members, named by a profile id or by a present or former member id."""

    def __init__(self, pool: Pool, keys: SubjectKeys, producer: KafkaProducer) -> None:
        self._pool, self._keys, self._producer = pool, keys, producer

    async def profiles(self, ids: Sequence[UUID]) -> dict[UUID, UUID]:
        """Member id by profile id, for all profiles of these members. Raises NobodyKnown."""
        async with self._rows() as connection:
            found = await (await connection.execute(_WHO, {"ids": list(ids)})).fetchall()
        unknown = set(ids) - {row["asked"] for row in found}
        if unknown:
            raise NobodyKnown(sorted(unknown))
        return {row["profile_id"]: row["member_id"] for row in found}

    async def erase(
        self, ids: Sequence[UUID], reason: str | None, actor: str, wait_seconds: float
    ) -> list[ErasedProfile]:
        """Performs the steps that are not done yet; returns what was done per profile.

        `wait_seconds`: how long to wait until the events are applied. Raises NobodyKnown,
        KafkaAway, NotAppliedYet or IdTaken; after the last three it may be called again.
        """
        profiles = await self.profiles(ids)
        planned = await self._plan(profiles, reason, actor)
        await self._append([line for line in planned if line.offset is None])
        for line in planned:
            await self._destroy(line.profile_id)
        planned = await self.receipt(list(profiles))
        await self._applied(planned, wait_seconds)
        async with self._rows() as connection:
            for line in planned:
                asked = {"subject": line.profile_id.bytes, "profile": line.profile_id}
                await connection.execute(_DEAD_LETTERS, asked)
        return await self.receipt(list(profiles))

    async def would_be(self, ids: Sequence[UUID]) -> list[ErasedProfile]:
        """The profiles that `erase` would erase, without writing anything (a dry run)."""
        profiles = await self.profiles(ids)
        done = {line.profile_id: line for line in await self.receipt(list(profiles))}
        return [done.get(one, _not_begun(one, member)) for one, member in profiles.items()]

    async def receipt(self, profiles: Sequence[UUID]) -> list[ErasedProfile]:
        async with self._rows() as connection:
            rows = await (await connection.execute(_PLANNED, [list(profiles)])).fetchall()
        return [
            ErasedProfile(**{name: row[name] for name in ErasedProfile.__slots__}) for row in rows
        ]

    async def _plan(
        self, profiles: dict[UUID, UUID], reason: str | None, actor: str
    ) -> list[ErasedProfile]:
        events = [uuid4() for _ in profiles]  # random, so that no producer can use the id first
        values = [reason, actor, list(profiles), list(profiles.values()), events]
        async with self._rows() as connection:
            await connection.execute(_PLAN, values)
        return await self.receipt(list(profiles))

    async def _append(self, lines: Sequence[ErasedProfile]) -> None:
        facts = [record_of(_fact(line)) for line in lines]
        appended = await self._producer.append(facts) if facts else []
        async with self._rows() as connection:
            for line, where in zip(lines, appended, strict=True):
                place = [where.topic, where.partition, where.offset, line.profile_id]
                await connection.execute(_APPENDED, place)

    async def _destroy(self, profile: UUID) -> None:
        await self._keys.destroy(profile.bytes)
        async with self._rows() as connection:
            await connection.execute(_DESTROYED, [profile])

    async def _applied(self, lines: Sequence[ErasedProfile], wait_seconds: float) -> None:
        missing = {line.event_id: line for line in lines}
        until, others = asyncio.get_running_loop().time() + wait_seconds, list[str]()
        async with self._rows() as connection:
            while missing:
                cursor = await connection.execute(_APPLIED, [list(missing)])
                for row in await cursor.fetchall():
                    line = missing.pop(row["event_id"])
                    if not _is_fact_of(line, row):
                        others.append(f"{row['topic']}-{row['partition']} @ {row['offset']}")
                        await connection.execute(_ANOTHER_ID, [uuid4(), line.profile_id])
                if missing and asyncio.get_running_loop().time() > until:
                    raise NotAppliedYet(f"{len(missing)} of {len(lines)} not applied yet")
                await asyncio.sleep(0.1 if missing else 0)
        if others:
            raise IdTaken(others)

    @asynccontextmanager
    async def _rows(self) -> AsyncIterator[AsyncConnection[dict[str, Any]]]:
        async with self._pool.connection() as connection:
            before, connection.row_factory = connection.row_factory, dict_row  # type: ignore[assignment]
            try:
                yield connection  # type: ignore[misc]
            finally:
                connection.row_factory = before


def _not_begun(profile: UUID, member: UUID) -> ErasedProfile:
    return ErasedProfile(profile, member, None, datetime.now(UTC), None, None)


def _is_fact_of(line: ErasedProfile, applied: dict[str, Any]) -> bool:
    """Whether the applied record is the event of this erasure.

    A run that ended before it stored the offset may have appended the same event before. So an
    equal event at a lower offset of the same partition counts as well.
    """
    place = (applied["topic"], applied["partition"])
    if place != (line.topic, line.partition):
        return False
    own = same_event(encode(_fact(line)), applied["schema_id"], applied["hash"])
    return own and applied["offset"] <= (line.offset or 0)


def _fact(line: ErasedProfile) -> SubjectErased:
    """The event, built from the stored plan alone, so that its bytes are always the same."""
    assert line.event_id is not None
    when = int(line.asked_at.timestamp()) * 1_000_000 + line.asked_at.microsecond
    meta = Meta(
        event_id=line.event_id.bytes,
        occurred_at=when,
        producer=Producer(system=SYSTEM, channel="OTHER"),
    )
    return SubjectErased(
        meta=meta, profile_id=line.profile_id.bytes, reason=line.reason, actor=line.actor
    )
