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
RULED = """
unnest(%(kinds)s::text[], %(limits)s::int[], %(most)s::int[], %(spans)s::bigint[])
    as k(kind, at_most, most, span)
"""
"""SQL: the rules of the kinds that connect; the values are those of `parameters`."""
IN_QUARANTINE = """(
    count(*) > k.most
    or (i.kind, i.value_index) in (
        select * from unnest(%(blocked_kinds)s::text[], %(blocked)s::uuid[])
    )
    or count(*) > k.at_most and exists (
        select from (
            select w.first_seen - lag(w.first_seen, k.at_most) over (order by w.first_seen) as span
            from identifier w where w.kind = i.kind and w.value_index = i.value_index
        ) seen where seen.span <= k.span
    )
)"""
"""SQL, as `edges.quarantined`: whether the rows `i` of a value, grouped with `k`, are too many."""
_FOUND = f"""
select i.kind, i.value_index, count(*) as profiles
from identifier i join {RULED} using (kind)
where %(kind)s::text is null or (i.kind, i.value_index) > (%(kind)s::text, %(value)s::uuid)
group by i.kind, i.value_index, k.at_most, k.most, k.span
having {IN_QUARANTINE}
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


def parameters(rules: ActiveRules) -> dict[str, list[Any]]:
    """The values of the parameters of `RULED` and `IN_QUARANTINE`."""
    return {
        "kinds": list(rules.kinds),
        "limits": [rule.limit for rule in rules.kinds.values()],
        "most": [rule.most for rule in rules.kinds.values()],
        "spans": [rule.window for rule in rules.kinds.values()],
        "blocked_kinds": [kind for kind, _ in rules.blocked],
        "blocked": [UUID(bytes=index) for _, index in rules.blocked],
    }


async def listed(read: Read, page: Page) -> list[InQuarantine]:
    """A page of identifiers in quarantine, sorted by kind and blind index."""
    limit, after = page.limit, page.after
    rules, _ = await in_force(read)
    kind, value = after or (None, None)
    found = await read.select(
        [identifier],
        _FOUND,
        kind=kind,
        value=value,
        limit=limit + 1,
        **parameters(rules),
    )
    if len(found) > limit:
        last = found[limit - 1]
        read.more([last["kind"], str(last["value_index"])])
    holders = await _holders(read, found[:limit])
    return [
        await _shown(read, row, _reason(rules, row), holders[row["kind"], row["value_index"]])
        for row in found[:limit]
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


def _reason(rules: ActiveRules, row: dict[str, Any]) -> Quarantine:
    rule = rules.kinds[row["kind"]]
    if row["value_index"].bytes in rule.blocked:
        return "blocked"
    return "limit" if row["profiles"] > rule.most else "window"


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
