"""The edges between profiles, for and against being one person, from stored rows.

Staff links are certain; then come unique identifiers, strong ones, and links by rule. An identifier
on too many profiles, or a blocked one, makes no edge: it is in quarantine.
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
Decision = tuple[bytes, bytes, str]  # the pair, a person's verdict
Proposal = tuple[bytes, bytes, str, str]  # the pair, the rules' version and verdict
LINKED = "linked"
Quarantine = Literal["blocked", "limit", "window"]


def _sets() -> dict[bytes, set[bytes]]:
    return defaultdict(set)


def _lists() -> dict[bytes, list[Value]]:
    return defaultdict(list)


@dataclass(slots=True)
class Edges:
    """Pairs of profiles by what joins them; pairs that staff separated; owners of unique
    identifiers.
    """

    person: list[Edge] = field(default_factory=list)
    unique: list[Edge] = field(default_factory=list)
    strong: list[Edge] = field(default_factory=list)
    found: list[Edge] = field(default_factory=list)
    apart: dict[bytes, set[bytes]] = field(default_factory=_sets)
    owned: dict[bytes, list[Value]] = field(default_factory=_lists)

    def are_apart(self, one: bytes, other: bytes) -> bool:
        """Whether staff separated these two."""
        return other in self.apart.get(one, ())


def edges_of(
    identifiers: Iterable[Identified],
    links: Iterable[Decision],
    proposals: Iterable[Proposal],
    rules: ActiveRules,
    crowded: Collection[Value] = (),
) -> Edges:
    """All edges among the profiles of these rows.

    `crowded`: values on so many profiles that not all of their rows were read.
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
    """Why a value is in quarantine; None when it is not. Every profile that ever had it counts.

    At most `limit` of the profiles may have been first seen with it within any one window.
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
    """The fewest edges that join all these profiles except pairs that staff separated."""
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
