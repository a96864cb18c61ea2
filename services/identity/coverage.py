"""Compares the profiles in memory with those of the member projection; finds missing ones.

Memory should hold every profile that is not erased and has a subject key, also a profile of which
only an identifier was observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.following.applied_log import checkpoints
from services.identity.changes import ChangedProfile
from services.identity.index import ProfileIndex
from services.identity.shards import TOPIC, offset_in
from services.runtime.db import Connection
from services.runtime.rows import rows_of

COMPARABLE = """
from (
    select profile_id from profile where erased_at is null
    union all
    select distinct i.profile_id from identifier i
    where not exists (select 1 from profile p where p.profile_id = i.profile_id)
) who
join hitotsu.subject_key k on k.subject = uuid_send(who.profile_id) and k.wrapped is not null
"""
HOW_MANY = f"select count(*) as many {COMPARABLE}"
WHO = f"select who.profile_id {COMPARABLE}"
# the time of each profile's state: the latest time of the events that it was made from
TIMES = """
select x.id as profile_id, greatest(p.registration_at, (select max(at) from unnest(p.given_at) at),
    (select max(seen_at) from identifier i where i.profile_id = x.id), 0) as at
from unnest(%s::uuid[]) as x(id) left join profile p on p.profile_id = x.id
"""


@dataclass(frozen=True, slots=True)
class CoverageGap:
    """Profile ids that memory lacks, and ids that it holds but should not (erased profiles)."""

    missing: list[bytes]
    surplus: list[bytes]


async def comparable(connection: Connection, group: str, known: Sequence[int]) -> int | None:
    """The number of profiles that memory should hold, counted in one snapshot.

    None when the projection has applied more or less of the log than memory (`known`: the next
    offset of each partition), so that the numbers cannot be compared.
    """
    async with connection.transaction():
        await connection.execute("set transaction isolation level repeatable read, read only")
        applied = await checkpoints(connection, group, [TOPIC])
        if any(end != offset_in(known, number) for (_, number), end in applied.items()):
            return None
        return int((await rows_of(connection, HOW_MANY, []))[0]["many"])


async def difference(connection: Connection, everybody: ProfileIndex) -> CoverageGap:
    """The profiles that memory lacks, and those that it holds but should not."""
    cursor = await connection.execute(WHO)
    expected = {row[0].bytes for row in await cursor.fetchall()}
    missing = sorted(one for one in expected if one not in everybody)
    return CoverageGap(missing, sorted(one for one in everybody if one not in expected))


async def as_changed(
    connection: Connection, profiles: Sequence[bytes]
) -> dict[bytes, ChangedProfile]:
    """Describes these profiles as changed, without log positions, at the time of their state."""
    rows = await rows_of(connection, TIMES, [[UUID(bytes=one) for one in profiles]])
    return {row["profile_id"].bytes: ChangedProfile(at=row["at"]) for row in rows}
