"""Finds the profiles whose group a change may affect: all that are connected with changed ones.

The search also visits identifier values as nodes, so that a value on many profiles is read once.
The changed profiles do not count towards a value's limit, since they are in the result anyway. A
value on more other profiles than the limit connected none before the change either: it is reported
as crowded and not followed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from projections.core.arrays import array
from projections.core.derivation import Ask, ReachableNodes, Shared
from projections.core.tables import RowKey
from projections.member.rules import ActiveRules, active

_REACH = """
with recursive reach(id, kind, crowded) as (
    select node, '' collate "C", false from unnest(%(nodes)s::uuid[]) as start(node)
    union
    select mate.profile_id, '', false from member_group own join member_group mate using (member_id)
        where own.profile_id = any(%(nodes)s::uuid[])
    union
    select near.id, near.kind, near.crowded from reach, lateral (
        select own.value_index as id, own.kind, false as crowded from identifier own
        where reach.kind = '' and own.profile_id = reach.id and own.kind = any(%(kinds)s::text[])
            and own.kind || ' ' || own.value_index::text <> all(%(blocked)s::text[])
        union all
        select unnest(case when many > most then array[reach.id] else profiles end),
            case when many > most then reach.kind else '' end, many > most
        from (
            select count(*) as many, array_agg(profile_id) as profiles from (
                select other.profile_id from identifier other
                where reach.kind <> '' and not reach.crowded
                    and other.kind = reach.kind and other.value_index = reach.id
                    and other.profile_id <> all(%(nodes)s::uuid[])
                limit (%(limits)s::int[])[array_position(%(kinds)s::text[], reach.kind)] + 1
            ) other
        ) shared,
        lateral (
            select (%(limits)s::int[])[array_position(%(kinds)s::text[], reach.kind)] as most
        ) its
        union all
        select other_profile_id, '', false from profile_link
        where reach.kind = '' and profile_id = reach.id and verdict = 'linked'
        union all
        select profile_id, '', false from profile_link
        where reach.kind = '' and other_profile_id = reach.id and verdict = 'linked'
        union all
        select other_profile_id, '', false from rule_link
        where reach.kind = '' and profile_id = reach.id and verdict = 'linked'
            and rule_version = %(version)s
        union all
        select profile_id, '', false from rule_link
        where reach.kind = '' and other_profile_id = reach.id and verdict = 'linked'
            and rule_version = %(version)s
    ) near
)
select id, kind from reach where kind = '' or crowded
"""
_SHARING = """
select distinct unnest(shared.profiles) from (
    select distinct kind, value_index from identifier
    where profile_id = any(%(nodes)s::uuid[]) and kind = any(%(kinds)s::text[])
) own, lateral (
    select count(*) as many, array_agg(profile_id) as profiles from (
        select other.profile_id from identifier other
        where other.kind = own.kind and other.value_index = own.value_index
            and other.profile_id <> all(%(nodes)s::uuid[])
        limit (%(limits)s::int[])[array_position(%(kinds)s::text[], own.kind)] + 1
    ) other
) shared
where many <= (%(limits)s::int[])[array_position(%(kinds)s::text[], own.kind)]
"""
_NEWEST = """
select valid_from, version, identifiers from match_rules
order by valid_from desc, version collate "C" desc limit 1
"""


class MemberScope:
    """The `Scope` of the derivation `member_group`."""

    def shared(self, ask: Ask) -> Shared:
        """The row of the match rules in force; empty if there are none."""
        return {"rules": ask(_NEWEST, {})}

    def everything(self, shared: Shared, changed: Collection[RowKey]) -> bool:
        """Whether the rules in force are among the changed rows: then all profiles are grouped."""
        newest = shared["rules"]
        return bool(newest) and newest[0][:2] in {key[-2:] for key in changed}

    def before_erasure(self, ask: Ask, shared: Shared, erased: Collection[bytes]) -> set[bytes]:
        """Profiles that share an identifier with erased ones.

        Without the erased profile, the identifier may be on few enough profiles to connect them.
        """
        values = _values(active(shared["rules"]), erased)
        return {row[0] for row in ask(_SHARING, values)}

    def reach(self, ask: Ask, shared: Shared, touched: Collection[bytes]) -> ReachableNodes:
        """All profiles connected with the profiles `touched`; `crowded`: values on too many."""
        found = ask(_REACH, _values(active(shared["rules"]), touched))
        crowded = {(kind, value) for value, kind in found if kind}
        return ReachableNodes(
            {profile for profile, kind in found if not kind}, {"crowded": crowded}
        )


def _values(rules: ActiveRules, nodes: Iterable[bytes]) -> dict[str, object]:
    return {
        "nodes": array("uuid", nodes),
        "kinds": array("text", rules.limits),
        "limits": array("int", rules.limits.values()),
        "blocked": array("text", [f"{kind} {_uuid(value)}" for kind, value in rules.blocked]),
        "version": rules.version,
    }


def _uuid(value: bytes) -> str:
    digits = value.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
