"""What staff see of a case: both profiles field by field, and each field's weight.

Callers with the scope `members:personal` and a stated purpose see the values; others see field
names, levels and weights.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from projections.core.instants import instant
from projections.member import PERSONAL
from services.identity.index import ProfileIndex
from services.identity.review.queue import conflict_entry, pair_entry
from services.reading.database import ReadSnapshot
from services.reading.personal import PersonalValues

CASE = """
select c.*, a.member_id as member_id, b.member_id as other_member_id
from hitotsu.identity_case c
left join member_group a on a.profile_id = c.profile_id
left join member_group b on b.profile_id = c.other_profile_id
where c.case_id = %(id)s
"""
CONFLICT = "select member_id, profiles from member_group where profile_id = %(id)s and open_case"
PROFILES = "select * from profile where profile_id = any(%(ids)s::uuid[])"
IDENTIFIERS = """
select * from identifier where profile_id = any(%(ids)s::uuid[])
order by profile_id, kind, value_index
"""
DECIDED = """
select * from hitotsu.match_decision
where profile_id = any(%(ids)s::uuid[]) and other_profile_id = any(%(ids)s::uuid[])
"""
SHARING = """
select distinct other.kind, other.profile_id from identifier own join identifier other
    on other.kind = own.kind and other.value_index = own.value_index
where own.profile_id = any(%(ids)s::uuid[]) and other.profile_id <> all(%(ids)s::uuid[]) limit 50
"""


async def case_of(
    snapshot: ReadSnapshot, clear: PersonalValues, everybody: ProfileIndex | None, case_id: UUID
) -> dict[str, Any] | None:
    """A case with the evidence for and against; None when there is none with this id.

    `case_id`: the id of a pair's case, or the id of a member that could not be joined.
    """
    rows = await snapshot.rows(CASE, {"id": case_id})
    if rows:
        entry = pair_entry(rows[0])
        ids = entry["profile_ids"]
        entry["fields"] = weighed(everybody, *ids)
    else:
        rows = await snapshot.rows(CONFLICT, {"id": case_id})
        if not rows:
            return None
        entry = conflict_entry(rows[0])
        shared = await snapshot.rows(SHARING, {"ids": entry["profile_ids"]})
        entry["shared_with"] = shared
        ids = [*entry["profile_ids"], *{row["profile_id"] for row in shared}]
    entry["profiles"] = await profiles(snapshot, clear, ids)
    entry["decisions"] = [_decision(r) for r in await snapshot.rows(DECIDED, {"ids": ids})]
    return entry


def weighed(everybody: ProfileIndex | None, one: UUID, other: UUID) -> list[dict[str, Any]]:
    """Level and weight of each field now; [] if the index is not ready or a profile is unknown."""
    if everybody is None:
        return []
    features = everybody.known.features(one.bytes)
    return [] if features is None else everybody.explained(features, other.bytes)


async def profiles(
    snapshot: ReadSnapshot, clear: PersonalValues, ids: list[UUID]
) -> list[dict[str, Any]]:
    """The profiles, in the order of the ids."""
    rows = {row["profile_id"]: row for row in await snapshot.rows(PROFILES, {"ids": ids})}
    known = await snapshot.rows(IDENTIFIERS, {"ids": ids})
    return [
        await _profile(clear, one, rows.get(one), [r for r in known if r["profile_id"] == one])
        for one in ids
    ]


async def _profile(
    clear: PersonalValues, subject: UUID, row: dict[str, Any] | None, known: list[dict[str, Any]]
) -> dict[str, Any]:
    held = {name: row[name] if row else None for name in PERSONAL}
    registered = row["registered_at"] if row else None
    return {
        "profile_id": subject,
        "source_system": row["source_system"] if row else None,
        "registered_at": None if registered is None else instant(registered),
        "holds": [name for name, stored in held.items() if stored is not None],
        **{name: await _text(clear, subject, name, stored) for name, stored in held.items()},
        "identifiers": [
            {
                "kind": one["kind"],
                "verified": one["verified"],
                "value": await _text(clear, subject, one["field"], one["value"]),
            }
            for one in known
        ],
    }


async def _text(
    clear: PersonalValues, subject: UUID, field: str, stored: bytes | None
) -> str | None:
    if stored is None:
        return None
    return await clear.text(subject, UUID(bytes=stored[:16]), field, stored[16:])


def _decision(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "profile_ids": [row["profile_id"], row["other_profile_id"]],
        "together": row["together"],
        "decided_at": instant(row["decided_at"]),
        "event_id": row["event_id"],
        "actor": row["actor"],
        "reason": row["reason"],
    }
