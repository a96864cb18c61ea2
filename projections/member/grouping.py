"""Computes which profiles are one member, as a pure function of identifiers and decisions.

Profiles connected by staff links, unique or strong identifiers form a component. A component is one
member unless it contains different unique identifiers of the same kind (without a staff link
between their profiles), or two profiles that staff separated. Such a component is split: its
profiles are joined by staff links and unique identifiers only; if that still conflicts, by staff
links only. All of them are then an open case. Links by rule join the resulting parts, but never
parts of the same split component.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

from projections.member.edges import Decision, Edge, Edges, Identified, Proposal, Value, edges_of
from projections.member.rules import active

WHOLE = 16  # of larger members only the first profile's row lists all profiles
Node = TypeVar("Node", bytes, int, Value)
Part = set[bytes]


class GroupMembership(NamedTuple):
    """A profile's member. `profiles`: all profiles of the member, by seniority; None in the rows of
    members with more than `WHOLE` profiles, except the member's own row.
    """

    member_id: bytes
    profiles: list[bytes] | None
    open_case: bool


def members_of(
    nodes: Iterable[tuple[bytes, int | None]],
    identifiers: Iterable[Identified],
    links: Sequence[Decision],
    proposals: Sequence[Proposal],
    rules: Iterable[tuple[int, str, str]],
    crowded: Collection[Value] = (),
) -> dict[bytes, GroupMembership]:
    """The membership of all profiles in these rows, under the newest version of the rules.

    `nodes`: profiles and when they were registered. `crowded`: see `edges_of`.
    """
    registered, rows = dict(nodes), list(identifiers)
    everyone = set(registered)
    everyone.update(row[0] for row in rows)
    for decided in (links, proposals):
        for one, other, *_ in decided:
            everyone.update((one, other))
    found: dict[bytes, GroupMembership] = {}
    edges = edges_of(rows, links, proposals, active(rules), crowded)
    for part, waiting in Groups(edges).parts():
        member = _membership(part, registered, waiting)
        short = member if len(part) <= WHOLE else member._replace(profiles=None)
        found.update(dict.fromkeys(part, short))
        found[member.member_id] = member
    for alone in everyone - found.keys():
        found[alone] = GroupMembership(alone, [alone], False)
    return found


class Groups:
    """Divides profiles into parts, which are the members; profiles without edges are in no part."""

    def __init__(self, edges: Edges) -> None:
        self.edges = edges
        self._person, self._unique = _adjacent(edges.person), _adjacent(edges.unique)

    def parts(self) -> list[tuple[Part, bool]]:
        """All parts, and whether the part has an open case."""
        settled, cases = self._identified()
        return self._with_found(settled, cases)

    def conflict(self, part: Part) -> bool:
        """Whether the part contains profiles that staff separated, or conflicting unique
        identifiers (see `rivals`).
        """
        return self.torn(part) or len(self.rivals(part)) > 0

    def torn(self, part: Part) -> bool:
        """Whether staff separated two profiles of the part."""
        apart = self.edges.apart
        return any(not apart[one].isdisjoint(part) for one in part if one in apart)

    def rivals(self, part: Part) -> list[set[Value]]:
        """Sets of unique identifiers of the same kind that conflict with each other; empty if none.

        Identifiers on the same profile, or on profiles that staff linked, do not conflict and are
        in the same set.
        """
        owned = self.edges.owned
        values = {value for profile in part for value in owned.get(profile, ())}
        if len(values) == len({kind for kind, _ in values}):
            return []
        same: list[tuple[Value, Value]] = []
        for person in self._split(part, self._person):
            first: dict[str, Value] = {}
            for value in (value for profile in person for value in owned.get(profile, ())):
                same.append((first.setdefault(value[0], value), value))
        by_kind: dict[str, list[set[Value]]] = defaultdict(list)
        for ids in components(values, same):
            by_kind[next(iter(ids))[0]].append(ids)
        return [ids for sets in by_kind.values() if len(sets) > 1 for ids in sets]

    def _identified(self) -> tuple[list[Part], dict[bytes, int]]:
        """Returns the parts by staff links and identifiers, and for every profile of a split
        component the number of that component.
        """
        edges = self.edges
        joined = [*edges.person, *edges.unique, *edges.strong]
        settled, cases = list[Part](), dict[bytes, int]()
        wholes = components((profile for edge in joined for profile in edge), joined)
        for number, whole in enumerate(wholes):
            if not self.conflict(whole):
                settled.append(whole)
                continue
            cases.update(dict.fromkeys(whole, number))
            for part in self._split(whole, self._person, self._unique):
                settled += self._split(part, self._person) if self.conflict(part) else [part]
        return settled, cases

    def _with_found(self, settled: list[Part], cases: dict[bytes, int]) -> list[tuple[Part, bool]]:
        """Joins parts by links by rule, unless that makes a conflict, or the parts are of the same
        split component. Returns the parts, and whether they have an open case.
        """
        where = {profile: number for number, part in enumerate(settled) for profile in part}
        for profile in {profile for edge in self.edges.found for profile in edge} - where.keys():
            where[profile] = len(settled)
            settled.append({profile})
        between = set[tuple[int, int]]()
        for one, other in self.edges.found:
            pair = where[one], where[other]
            if pair[0] == pair[1] or (one in cases and cases[one] == cases.get(other)):
                continue
            between.add(pair if pair[0] < pair[1] else pair[::-1])
        clashing = _Clashes(self, settled)
        joining = [pair for pair in sorted(between) if not clashing.between(*pair)]
        waiting = set(cases)
        for number in {number for pair in between.difference(joining) for number in pair}:
            waiting |= settled[number]
        parts = list[Part]()
        for numbers in components(range(len(settled)), joining):
            union = set[bytes]().union(*(settled[number] for number in numbers))
            if len(numbers) > 1 and self.conflict(union):
                waiting |= union
                parts += [settled[number] for number in numbers]
            else:
                parts.append(union)
        return [(part, not waiting.isdisjoint(part)) for part in parts]

    def _split(self, whole: Part, *adjacent: dict[bytes, list[Edge]]) -> list[Part]:
        # edges are looked up by profile, because a batch has hundreds of components
        within = [edge for each in adjacent for one in whole for edge in each.get(one, ())]
        return components(whole, within)


class _Clashes:
    """Tells which pairs of parts conflict; caches what it needs of a part.

    It relies on that no staff link joins two of the parts, and that the unique identifiers within a
    part do not conflict.
    """

    def __init__(self, groups: Groups, settled: list[Part]) -> None:
        self._groups, self._settled = groups, settled
        self._looked_at: dict[int, tuple[bool, dict[str, set[Value]]]] = {}

    def between(self, one: int, other: int) -> bool:
        """Whether the union of the two parts would have a conflict (see `Groups.conflict`)."""
        (torn, ids), (also_torn, other_ids) = self._part(one), self._part(other)
        if torn or also_torn or self._apart(one, other):
            return True
        return any(
            mine.isdisjoint(theirs)
            for kind, mine in ids.items()
            if (theirs := other_ids.get(kind)) is not None
        )

    def _apart(self, one: int, other: int) -> bool:
        apart = self._groups.edges.apart
        small, large = sorted((self._settled[one], self._settled[other]), key=len)
        return any(not apart[each].isdisjoint(large) for each in small if each in apart)

    def _part(self, number: int) -> tuple[bool, dict[str, set[Value]]]:
        known = self._looked_at.get(number)
        if known is None:
            part, ids = self._settled[number], defaultdict[str, set[Value]](set)
            for profile in part:
                for value in self._groups.edges.owned.get(profile, ()):
                    ids[value[0]].add(value)
            known = self._looked_at[number] = self._groups.torn(part), ids
        return known


def components(nodes: Iterable[Node], edges: Iterable[tuple[Node, Node]]) -> list[set[Node]]:
    """The connected components of the graph; edges to nodes not in `nodes` are ignored."""
    parent = {node: node for node in nodes}
    for one, other in edges:
        if one in parent and other in parent:
            parent[_root(parent, one)] = _root(parent, other)
    found: dict[Node, set[Node]] = defaultdict(set)
    for node in parent:
        found[_root(parent, node)].add(node)
    return list(found.values())


def _root(parent: dict[Node, Node], node: Node) -> Node:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


def _adjacent(edges: Iterable[Edge]) -> dict[bytes, list[Edge]]:
    found: dict[bytes, list[Edge]] = defaultdict(list)
    for edge in edges:
        found[edge[0]].append(edge)
    return found


def _membership(part: Part, registered: dict[bytes, int | None], waiting: bool) -> GroupMembership:
    """The membership of a part: profiles by registration time, then id, unregistered ones last.

    The first profile's id is the member id.
    """

    def seniority(profile: bytes) -> tuple[bool, int, bytes]:
        at = registered.get(profile)
        return (at is None, at or 0, profile)

    ordered = sorted(part, key=seniority)
    return GroupMembership(ordered[0], ordered, waiting)
