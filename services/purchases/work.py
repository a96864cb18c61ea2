"""Runs a batch of claims: locks the purchases, decides, and stores the result.

A claim that was accepted is a row of `hitotsu.claim_decided` for 30 days, also after its event is
applied. So a second claim is denied while the event is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.deciding import outbox
from services.deciding.answers import Answer
from services.purchases.answers import ANSWERS
from services.purchases.decide import Claim, Claimable, decide
from services.runtime.arrays import array, columns
from services.runtime.db import Connection
from services.runtime.rows import rows_of, send_query

# Locked by hash: two purchases with the same hash wait for each other, which does no harm. The
# projector takes no such lock, and the rows are read by the next statement, under the lock.
LOCKS = """
select pg_advisory_xact_lock(hashtext('hitotsu.claims'), hash)
from (select distinct hashtext(id::text) as hash from unnest(%s::uuid[]) id order by 1) x
"""
# lateral joins (offset 0): a plan cached while the tables were small would read them whole
PURCHASES = """
select asked.id, s.owner_id, c.profile_id as claimed_by, d.profile_id as promised_to
from unnest(%s::uuid[]) as asked(id)
cross join lateral (
    select owner_id from sale where transaction_id = asked.id and occurred_at is not null offset 0
) s
left join lateral (
    select profile_id from purchase_claim where transaction_id = asked.id offset 0) c on true
left join lateral (
    select profile_id from hitotsu.claim_decided where transaction_id = asked.id offset 0
) d on true
"""
MOMENT = """
select clock_timestamp() as now, (
    select coalesce(json_object_agg(topic || '-' || partition, next_offset), '{}')
    from hitotsu.checkpoint where grp = %s and topic = 'commerce.purchases') as position
"""
KEEP = """
insert into hitotsu.claim_decided (transaction_id, profile_id, event_id)
select * from unnest(%s::uuid[], %s::uuid[], %s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class LockedPurchases:
    """The known purchases of a batch at `now`. `position`: next offset by "topic-partition"."""

    purchases: dict[UUID, Claimable]
    now: datetime
    position: dict[str, int]


class ClaimWork:
    """Decides batches of claims, within the caller's transaction."""

    def __init__(self, group: str) -> None:
        """`group`: the projection group whose tables are read."""
        self._group = group

    async def see(self, connection: Connection, commands: Sequence[Claim]) -> LockedPurchases:
        """Locks the claimed purchases and reads them."""
        asked = array("uuid", sorted({claim.transaction_id.bytes for claim in commands}))
        await connection.execute(LOCKS, [asked])
        found = await send_query(connection, PURCHASES, [asked])
        (moment,) = await rows_of(connection, MOMENT, [self._group])
        purchases = {
            row["id"]: Claimable(
                None if row["owner_id"] == row["id"] else row["owner_id"],
                row["claimed_by"], row["promised_to"],
            )
            for row in await found.fetchall()
        }  # fmt: skip
        return LockedPurchases(purchases, moment["now"], moment["position"])

    async def decide(
        self, connection: Connection, seen: LockedPurchases, commands: Sequence[Claim]
    ) -> list[Answer]:
        """Decides; stores accepted claims, and their events in the outbox.

        Returns the answers in the order of the commands.
        """
        decided = decide(commands, seen.purchases, seen.now)
        if decided.facts:
            rows = [
                (fact.transaction_id, fact.profile_id, fact.meta.event_id) for fact in decided.facts
            ]
            await connection.execute(KEEP, columns(("uuid", "uuid", "uuid"), rows))
        await outbox.add(connection, decided.facts)
        return ANSWERS.all_of(decided.outcomes, {"position": seen.position})
