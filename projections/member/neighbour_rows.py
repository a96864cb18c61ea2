"""Reads the rows of all profiles that are connected with two profiles, in rounds, until a round
finds no new profile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from projections.core import NotFound, Read
from projections.member import group, identifier, link, proposal, rules
from projections.member.edges import LINKED
from projections.member.path import Linked, Neighbourhood
from projections.member.rules import RULE_SET, ActiveRules, Survivorship, active, survivorship

MOST = 2_000
_IDENTIFIERS = "select * from identifier where profile_id = any(%(profiles)s)"
_HOLDERS = """
select v.kind, v.value_index, h.profile_id
from unnest(%(kinds)s::text[], %(values)s::uuid[], %(limits)s::int[])
    as v(kind, value_index, most),
lateral (
    select profile_id from identifier i
    where i.kind = v.kind and i.value_index = v.value_index limit v.most + 1
) h
"""
_DECISIONS = """
select profile_id, other_profile_id, decided_at, verdict, actor, null::text as rule_version,
    null::double precision as weight, null::text[] as evidence from profile_link
where profile_id = any(%(profiles)s) or other_profile_id = any(%(profiles)s)
union all
select profile_id, other_profile_id, decided_at, verdict, null, rule_version, weight, evidence
from rule_link where profile_id = any(%(profiles)s) or other_profile_id = any(%(profiles)s)
"""
_MEMBERS = """
select own.profile_id, own.member_id, coalesce(own.profiles, head.profiles) as profiles
from member_group own join member_group head on head.profile_id = own.member_id
where own.profile_id = any(%(profiles)s)
"""


class NeighbourRows:
    """Rows of connected profiles: members by profile, identifiers, decisions on pairs."""

    def __init__(self, rules_in_force: ActiveRules) -> None:
        self.rules = rules_in_force
        self.members: dict[UUID, dict[str, Any]] = {}
        self.identifiers: dict[tuple[bytes, str, bytes], dict[str, Any]] = {}
        self.decisions: dict[Linked, dict[str, Any]] = {}
        self._crowded: set[tuple[str, bytes]] = set()

    async def read(self, read: Read, profiles: Iterable[UUID]) -> Neighbourhood:
        """Reads all profiles connected with these, and returns the rows that connect them.

        Raises NotFound if more than `MOST` profiles are connected.
        """
        rows = await read.select([group], _MEMBERS, profiles=list(profiles))
        self.members = {row["profile_id"]: row for row in rows}
        known = set[UUID]()
        found = {one for row in rows for one in row["profiles"]} | set(profiles)
        while fresh := found - known:
            known |= fresh
            if len(known) > MOST:
                raise NotFound(
                    f"more than {MOST} profiles are connected with these, too many for an answer"
                )
            found |= await self._round(read, fresh)
        seen = [
            (*key, bool(row["verified"]), row["first_seen"])
            for key, row in self.identifiers.items()
        ]
        return Neighbourhood(self.rules, seen, list(self.decisions), self._crowded)

    async def _round(self, read: Read, fresh: set[UUID]) -> set[UUID]:
        asked = list(fresh)
        rows = await read.select([identifier], _IDENTIFIERS, profiles=asked)
        for row in rows:
            key = (row["profile_id"].bytes, row["kind"], row["value_index"].bytes)
            self.identifiers[key] = row
        found = await self._holding(read, {(row["kind"], row["value_index"]) for row in rows})
        for row in await read.select([link, proposal], _DECISIONS, profiles=asked):
            pair = row["profile_id"], row["other_profile_id"]
            decision = Linked(pair[0].bytes, pair[1].bytes, row["verdict"], row["rule_version"])
            self.decisions[decision] = row
            counts = row["rule_version"] in (None, self.rules.version)
            if counts and row["verdict"] == LINKED:
                found |= set(pair)
        return found

    async def _holding(self, read: Read, values: set[tuple[str, UUID]]) -> set[UUID]:
        """The profiles that have any of these values, without values on too many profiles."""
        limits, blocked = self.rules.limits, set(self.rules.blocked)
        asked = [
            (kind, value, limits[kind])
            for kind, value in sorted(values)
            if kind in limits and (kind, value.bytes) not in blocked
        ]
        if not asked:
            return set()
        kinds, indexes, most = (list(column) for column in zip(*asked, strict=True))
        rows = await read.select([identifier], _HOLDERS, kinds=kinds, values=indexes, limits=most)
        holders: dict[tuple[str, UUID], set[UUID]] = {}
        for row in rows:
            value = row["kind"], row["value_index"]
            holders.setdefault(value, set()).add(row["profile_id"])
        found = set[UUID]()
        for (kind, index), profiles in holders.items():
            if len(profiles) > limits[kind]:
                self._crowded.add((kind, index.bytes))
            else:
                found |= profiles
        return found


async def in_force(read: Read) -> tuple[ActiveRules, Survivorship]:
    """The identifier rules and the survivorship rules in force."""
    versions = await read.rows(rules, rule_set=RULE_SET)
    newest = max(versions, key=lambda row: (row["valid_from"], row["version"]), default=None)
    said = [(row["valid_from"], row["version"], row["identifiers"]) for row in versions]
    return active(said), survivorship(newest["survivorship"] if newest else None)
