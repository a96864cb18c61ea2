"""Finds profiles that are unknown: no table of a member's page has a row about them."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.runtime.arrays import array
from services.runtime.db import Connection

# all tables from which the read API makes a member's page
UNSEEN = """
select id from unnest(%(ids)s::uuid[]) as asked(id) where not (
    exists (select from member_group where profile_id = id)
    or exists (select from point_entry where profile_id = id)
    or exists (select from program_membership where profile_id = id)
    or exists (select from sale where owner_id = id)
    or exists (select from purchase_claim where profile_id = id)
    or exists (select from inquiry where profile_id = id)
    or exists (select from profile where profile_id = id)
    or exists (select from identifier where profile_id = id)
)
"""


async def unseen(connection: Connection, profile_ids: Collection[UUID]) -> set[UUID]:
    """Those of the profiles about which none of the tables in `UNSEEN` has a row."""
    if not profile_ids:
        return set()
    ids = array("uuid", [one.bytes for one in profile_ids])
    cursor = await connection.execute(UNSEEN, {"ids": ids})
    return {row[0] for row in await cursor.fetchall()}
