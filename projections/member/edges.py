"""Computes the edges between profiles, for and against being one person, from stored rows.

The kinds of edges, the most certain first: staff links, unique identifiers, strong identifiers,
links by rule. An identifier that is blocked or on too many profiles is in quarantine: it makes no
edge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from projections.member.rules import ActiveRules, Connecting

Edge = tuple[bytes, bytes]
Value = tuple[str, bytes]  # kind of identifier, blind index
Identified = tuple[bytes, str, bytes, bool, int]  # profile, kind, index, verified, first seen
Decision = tuple[bytes, bytes, str]  # the pair, the verdict of staff
Proposal = tuple[bytes, bytes, str, str]  # the pair, the rules' version and verdict
LINKED = "linked"
Quarantine = Literal["blocked", "limit", "window"]


def _sets() -> dict[bytes, set[bytes]]:
    return defaultdict(set)


def _lists() -> dict[bytes, list[Value]]:
    return defaultdict(list)


@dataclass(slots=True)
class Edges:
    """The edges of a set of profiles.

    `person`, `unique`, `strong`, `found` (links by rule): joined pairs. `apart`: by profile, those
    that staff separated from it. `owned`: by profile, its unique identifiers.
    """

    person: list[Edge] = field(default_factory=list)
    unique: list[Edge] = field(default_factory=list)
    strong: list[Edge] = field(default_factory=list)
    found: list[Edge] = field(default_factory=list)
    apart: dict[bytes, set[bytes]] = field(default_factory=_sets)
    owned: dict[bytes, list[Value]] = field(default_factory=_lists)

    def are_apart(self, one: bytes, other: bytes) -> bool:
        """Whether staff separated these two profiles."""
        return other in self.apart.get(one, ())


def edges_of(
    identifiers: Iterable[Identified],
    links: Iterable[Decision],
    proposals: Iterable[Proposal],
    rules: ActiveRules,
    crowded: Collection[Value] = (),
) -> Edges:
    """All edges between the profiles in these rows.

    `crowded`: values on so many profiles that not all their rows were read; they make no edge.
    """
    edges = Edges()
    for one, other, verdict in links:
        if verdict == LINKED:
            edges.person.append((one, other))
        elif one != other:
            edges.apart[one].add(other)
            edges.apart[other].add(one)
    for (kind, value), holders in _by_value(identifiers, rules).items():
        rule = rules.kinds[kind]
        if len(holders) == 1 and not rule.unique:
            continue
        times = [holder[4] for holder in holders]
        if quarantined(rule, value, times, (kind, value) in crowded) is not None:
            continue
        if rule.unique:
            for holder in holders:
                edges.owned[holder[0]].append((kind, value))
        if len(holders) > 1:
            sure = sorted(holder[0] for holder in holders if rule.unique or holder[3])
            (edges.unique if rule.unique else edges.strong).extend(_joining(sure, edges))
    edges.found = [
        (one, other)
        for one, other, version, verdict in proposals
        if version == rules.version and verdict == LINKED and not edges.are_apart(one, other)
    ]
    return edges


def quarantined(
    rule: Connecting, value: bytes, first_seen: Sequence[int], crowded: bool = False
) -> Quarantine | None:
    """Why a value is in quarantine; None if it is not.

    `first_seen`: when the value was first seen on each of its profiles, former ones included. More
    than `limit` of these times within the rule's window, or more than `most` in all, are too many.
    """
    if value in rule.blocked:
        return "blocked"
    if crowded or len(first_seen) > rule.most:
        return "limit"
    if rule.window is not None and len(first_seen) > rule.limit:
        times = sorted(first_seen)
        spans = zip(times, times[rule.limit :], strict=False)
        if any(late - early <= rule.window for early, late in spans):
            return "window"
    return None


def _by_value(
    identifiers: Iterable[Identified], rules: ActiveRules
) -> dict[Value, list[Identified]]:
    found: dict[Value, list[Identified]] = defaultdict(list)
    for row in identifiers:
        if row[1] in rules.kinds:
            found[row[1], row[2]].append(row)
    return found


def _joining(profiles: list[bytes], edges: Edges) -> Iterable[Edge]:
    """Few edges that join all these profiles, none between a pair that staff separated."""
    together = set(profiles)
    if edges.apart.keys().isdisjoint(together):
        return pairwise(profiles)
    for one in profiles:
        if edges.apart.get(one, set()).isdisjoint(together):
            return [(one, other) for other in profiles if other != one]
    return [
        (one, other)
        for at, one in enumerate(profiles)
        for other in profiles[at + 1 :]
        if not edges.are_apart(one, other)
    ]
