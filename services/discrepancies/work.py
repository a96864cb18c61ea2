"""Runs a batch of decisions: locks the discrepancies, decides, and stores the result.

A decision that was accepted is a row of `hitotsu.settlement_decided` until its event is surely
applied. So a second one is denied while the event is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from projections import discover
from projections.discrepancies.kinds import KINDS
from projections.discrepancies.queries import LATEST
from schemas.measures import location_and_unit
from services.deciding import outbox
from services.deciding.answers import Answer
from services.discrepancies.answers import ANSWERS
from services.discrepancies.decide import ListedDiscrepancy, Settle, decide
from services.runtime.arrays import array, columns
from services.runtime.db import Connection
from services.runtime.rows import rows_of

# locked by hash: two discrepancies with the same hash wait for each other, which does no harm
LOCKS = """
select pg_advisory_xact_lock(hashtext('hitotsu.discrepancies'), hash)
from (select distinct hashtext(id::text) as hash from unnest(%s::uuid[]) id order by 1) x
"""
# where a discrepancy can begin again (`open_after`), a decision of before does not count
LISTED = """
select d.id, d.kind, d.subject_id, d.event_id, d.location_id, s.resolution as settled_with,
    (select p.resolution from hitotsu.settlement_decided p where p.discrepancy_id = d.id
        and (d.open_after is null
            or extract(epoch from p.decided_at) * 1000000 >= d.open_after)) as promised
from ({listed}) d left join {latest}
where d.id = any(%s::uuid[])
"""
MOMENT = """
select clock_timestamp() as now, (
    select coalesce(json_object_agg(topic || '-' || partition, next_offset), '{}')
    from hitotsu.checkpoint where grp = %s) as position
"""
KEEP = """
insert into hitotsu.settlement_decided (discrepancy_id, resolution, event_id)
select * from unnest(%s::uuid[], %s::text[], %s::uuid[])
on conflict (discrepancy_id) do update
    set resolution = excluded.resolution, event_id = excluded.event_id, decided_at = default
"""


@cache
def statement(for_people: bool) -> str:
    """Finds discrepancies by their ids: of kinds that people settle, or of the other kinds."""
    parts = [
        f"({part.statement})"
        for projection in discover()
        for part in projection.listings
        if part.name == "discrepancies"
        and for_people == any(KINDS[label].resolutions for label in part.labels)
    ]
    return LISTED.replace("{listed}", " union all ".join(parts)).replace("{latest}", LATEST)


@dataclass(frozen=True, slots=True)
class LockedDiscrepancies:
    """The known discrepancies of a batch, locked and read.

    `now`: the time of the decisions. `position`: next offset by topic-partition.
    """

    listed: dict[UUID, ListedDiscrepancy]
    now: datetime
    position: dict[str, int]


class SettleWork:
    """Decides batches of decisions about discrepancies, within the caller's transaction."""

    def __init__(self, group: str) -> None:
        """`group`: the projection group whose tables are read."""
        self._group = group

    async def see(self, connection: Connection, commands: Sequence[Settle]) -> LockedDiscrepancies:
        """Locks the discrepancies and reads them."""
        asked = sorted({command.discrepancy_id for command in commands})
        await connection.execute(LOCKS, [array("uuid", [one.bytes for one in asked])])
        listed = await _listed(connection, True, asked)
        if missing := [one for one in asked if one not in listed]:
            # only to say why: the other kinds are read whole
            listed |= await _listed(connection, False, missing)
        (moment,) = await rows_of(connection, MOMENT, [self._group])
        return LockedDiscrepancies(listed, moment["now"], moment["position"])

    async def decide(
        self, connection: Connection, seen: LockedDiscrepancies, commands: Sequence[Settle]
    ) -> list[Answer]:
        """Decides; stores accepted decisions, and their events in the outbox."""
        decided = decide(commands, seen.listed, seen.now)
        if decided.facts:
            rows = [
                (fact.discrepancy_id, fact.resolution, fact.meta.event_id)
                for fact in decided.facts
            ]  # fmt: skip
            await connection.execute(KEEP, columns(("uuid", "text", "uuid"), rows))
        await outbox.add(connection, decided.facts)
        return ANSWERS.all_of(decided.outcomes, {"position": seen.position})


async def _listed(
    connection: Connection, for_people: bool, asked: Sequence[UUID]
) -> dict[UUID, ListedDiscrepancy]:
    ids = array("uuid", [one.bytes for one in asked])
    rows = await rows_of(connection, statement(for_people), [ids])
    return {
        row["id"]: ListedDiscrepancy(
            row["kind"], row["subject_id"], row["event_id"], _location(row["location_id"]),
            row["settled_with"], row["promised"],
        )
        for row in rows
    }  # fmt: skip


def _location(place: str | None) -> str | None:
    return None if place is None else location_and_unit(place)[0]
