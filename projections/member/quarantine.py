"""Lists identifiers in quarantine with the profiles that have them, for review by staff."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from projections.core import Page, Read
from projections.core.instants import instant
from projections.member import group, identifier
from projections.member.answers import Holder, InQuarantine
from projections.member.edges import Quarantine
from projections.member.neighbour_rows import in_force
from projections.member.rules import ActiveRules

SHOWN = 100
_FOUND = """
select i.kind, i.value_index, count(*) as profiles
from identifier i
join unnest(%(kinds)s::text[], %(limits)s::int[], %(most)s::int[], %(spans)s::bigint[])
    as k(kind, at_most, most, span) using (kind)
where %(kind)s::text is null or (i.kind, i.value_index) > (%(kind)s::text, %(value)s::uuid)
group by i.kind, i.value_index, k.at_most, k.most, k.span
having count(*) > k.most or i.value_index = any(%(blocked)s::uuid[])
    or count(*) > k.at_most and exists (
        select from (
            select w.first_seen - lag(w.first_seen, k.at_most) over (order by w.first_seen) as span
            from identifier w where w.kind = i.kind and w.value_index = i.value_index
        ) seen where seen.span <= k.span
    )
order by i.kind, i.value_index limit %(limit)s
"""
_HOLDERS = f"""
select v.kind, v.value_index, h.*, g.member_id
from unnest(%(kinds)s::text[], %(values)s::uuid[]) as v(kind, value_index),
lateral (
    select profile_id, verified, first_seen, seen_at, value, field from identifier i
    where i.kind = v.kind and i.value_index = v.value_index
    order by first_seen, profile_id limit {SHOWN}
) h
join member_group g using (profile_id)
order by h.first_seen, h.profile_id
"""
Value = tuple[str, UUID]


async def listed(read: Read, page: Page) -> list[InQuarantine]:
    """A page of identifiers in quarantine, sorted by kind and blind index."""
    limit, after = page.limit, page.after
    rules, _ = await in_force(read)
    kind, value = after or (None, None)
    found = await read.select(
        [identifier],
        _FOUND,
        kinds=list(rules.kinds),
        limits=[rule.limit for rule in rules.kinds.values()],
        most=[rule.most for rule in rules.kinds.values()],
        spans=[rule.window for rule in rules.kinds.values()],
        blocked=[UUID(bytes=index) for _, index in rules.blocked],
        kind=kind,
        value=value,
        limit=limit + 1,
    )
    if len(found) > limit:
        last = found[limit - 1]
        read.more([last["kind"], str(last["value_index"])])
    holders = await _holders(read, found[:limit])
    return [
        await _shown(read, row, reason, holders[row["kind"], row["value_index"]])
        for row in found[:limit]
        if (reason := _reason(rules, row)) is not None
    ]


async def _holders(read: Read, found: list[dict[str, Any]]) -> dict[Value, list[dict[str, Any]]]:
    rows = await read.select(
        [identifier, group],
        _HOLDERS,
        kinds=[row["kind"] for row in found],
        values=[row["value_index"] for row in found],
    )
    holders: dict[Value, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        holders[row["kind"], row["value_index"]].append(row)
    return holders


def _reason(rules: ActiveRules, row: dict[str, Any]) -> Quarantine | None:
    rule = rules.kinds[row["kind"]]
    if row["value_index"].bytes in rule.blocked:
        return "blocked"
    if row["profiles"] > rule.most:
        return "limit"
    # None: its index is blocked for another kind only
    return "window" if rule.window is not None and row["profiles"] > rule.limit else None


async def _shown(
    read: Read, row: dict[str, Any], reason: Quarantine, holders: list[dict[str, Any]]
) -> InQuarantine:
    members = Counter(one["member_id"] for one in holders)
    first, stored = holders[0], holders[0]["value"]
    sealed_by = UUID(bytes=stored[:16])
    clear = await read.reveal(first["profile_id"], sealed_by, first["field"], stored[16:])
    return InQuarantine(
        kind=row["kind"],
        value_index=row["value_index"].hex,
        value=clear,
        reason=reason,
        profiles=row["profiles"],
        holders=[
            Holder(
                profile_id=one["profile_id"],
                member_id=one["member_id"],
                verified=one["verified"],
                first_seen=instant(one["first_seen"]),
                last_seen=instant(one["seen_at"]),
                still_together=members[one["member_id"]] > 1,
            )
            for one in holders
        ],
    )
