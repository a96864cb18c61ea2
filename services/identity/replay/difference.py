"""Compares two groupings of the same profiles: which members split, which join, and why. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from projections.member.edges import Identified
from services.identity.pairs import Pair, RuleDecision

Part = frozenset[bytes]


@dataclass(frozen=True, slots=True)
class MemberSplit:
    """A present member whose profiles would become several members."""

    member: Part
    into: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """Parts of present members that would become one member.

    `links`: links between the parts. `shared`: kinds of identifiers that the parts share.
    """

    member: Part
    parts: tuple[Part, ...]
    links: tuple[tuple[Pair, RuleDecision], ...]
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupingDifference:
    """All splits and joins, ordered by their profile ids."""

    splits: tuple[MemberSplit, ...]
    joins: tuple[Join, ...]

    @property
    def touched(self) -> tuple[Part, ...]:
        """Groups of profiles whose members change.

        Profiles that share a member before or after the change are in the same group.
        """
        return _united([*(one.member for one in self.splits), *(one.member for one in self.joins)])


def difference(
    before: Mapping[bytes, Part],
    after: Mapping[bytes, Part],
    links: Mapping[Pair, RuleDecision],
    identifiers: Iterable[Identified],
) -> GroupingDifference:
    """Compares two groupings. `before` and `after`: for each profile, all profiles of its
    member.
    """
    splits = [
        MemberSplit(member, _parts(member, after))
        for member in _distinct(before)
        if len(_parts(member, after)) > 1
    ]
    joined = [member for member in _distinct(after) if len(_parts(member, before)) > 1]
    wanted = {profile for member in joined for profile in member}
    holders: dict[tuple[str, bytes], set[bytes]] = defaultdict(set)
    for profile, kind, value, *_ in identifiers:
        if profile in wanted:
            holders[kind, value].add(profile)
    joins = [_join(member, _parts(member, before), links, holders) for member in joined]
    return GroupingDifference(tuple(splits), tuple(joins))


def _join(
    member: Part,
    parts: tuple[Part, ...],
    links: Mapping[Pair, RuleDecision],
    holders: Mapping[tuple[str, bytes], set[bytes]],
) -> Join:
    where = {profile: number for number, part in enumerate(parts) for profile in part}
    across = tuple(
        (pair, links[pair])
        for pair in sorted(links)
        if pair[0] in where and pair[1] in where and where[pair[0]] != where[pair[1]]
    )
    shared = {
        kind
        for (kind, _), who in holders.items()
        if len({where[profile] for profile in who if profile in where}) > 1
    }
    return Join(member, parts, across, tuple(sorted(shared)))


def _parts(member: Part, groups: Mapping[bytes, Part]) -> tuple[Part, ...]:
    """The profiles of a member, divided by their members in the other grouping."""
    pieces = {groups.get(profile, frozenset({profile})) & member for profile in member}
    return tuple(sorted(pieces, key=sorted))


def _distinct(groups: Mapping[bytes, Part]) -> list[Part]:
    return sorted(set(groups.values()), key=sorted)


def _united(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Merges parts that have a profile in common."""
    found: list[set[bytes]] = []
    for part in parts:
        near = [one for one in found if not one.isdisjoint(part)]
        found = [one for one in found if one.isdisjoint(part)]
        found.append(set(part).union(*near))
    return tuple(sorted((frozenset(one) for one in found), key=sorted))
