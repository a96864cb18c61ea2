"""Which profiles are unknown, i.e. no event about them was applied?"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.runtime.arrays import array
from services.runtime.db import Connection

# everything that the read API makes a member's page of, by its profile
UNSEEN = """
select id from unnest(%(ids)s::uuid[]) as asked(id) where not (
    exists (select from member_group where profile_id = id)
    or exists (select from point_entry where profile_id = id)
    or exists (select from purchase where owner_id = id)
    or exists (select from purchase_return where owner_id = id)
    or exists (select from purchase_claim where profile_id = id)
    or exists (select from inquiry where profile_id = id)
    or exists (select from profile where profile_id = id)
    or exists (select from identifier where profile_id = id)
)
"""


async def unseen(connection: Connection, profile_ids: Collection[UUID]) -> set[UUID]:
    """The profiles of which nothing is known."""
    if not profile_ids:
        return set()
    ids = array("uuid", [one.bytes for one in profile_ids])
    cursor = await connection.execute(UNSEEN, {"ids": ids})
    return {row[0] for row in await cursor.fetchall()}
