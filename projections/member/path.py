"""Explains why two profiles are one person, or not: the path between them, and objections to it.

The shortest path is searched among staff links first, then also unique identifiers, then strong
ones, then links by rule. So within a member, the path uses the most certain edges that join it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from projections.member.edges import (
    LINKED,
    Edges,
    Identified,
    Quarantine,
    Value,
    edges_of,
    quarantined,
)
from projections.member.grouping import Groups, Part, components
from projections.member.rules import ActiveRules

By = Literal["person", "unique", "strong", "rule"]
LAYERS: tuple[By, ...] = ("person", "unique", "strong", "rule")
Reason = Literal[
    "person", "unique_conflict", "quarantined", "unverified", "weak", "other_rules", "retracted"
]


class Linked(NamedTuple):
    """A stored decision on a pair; `rule_version` is None for a staff decision."""

    profile: bytes
    other: bytes
    verdict: str
    rule_version: str | None = None


class PathStep(NamedTuple):
    """A step of a path: the identifier or decision that joins two profiles."""

    profile: bytes
    other: bytes
    by: By
    value: Value | None = None
    decision: Linked | None = None


class Objection(NamedTuple):
    """A reason that keeps two profiles apart, or an identifier or link that does not count."""

    reason: Reason
    profiles: tuple[bytes, ...]
    value: Value | None = None
    quarantine: Quarantine | None = None
    decision: Linked | None = None


@dataclass
class Neighbourhood:
    """The rows of all profiles that are connected with two profiles; see `NeighbourRows`."""

    rules: ActiveRules
    identifiers: list[Identified]
    decisions: list[Linked]
    crowded: set[Value] = field(default_factory=set)

    def __post_init__(self) -> None:
        # sorted, so that of equally short paths, and of objections, the same comes first every time
        self.identifiers.sort()
        self.decisions.sort(key=lambda one: (one[:3], one.rule_version or ""))
        self.holders: dict[Value, list[Identified]] = defaultdict(list)
        self.values: dict[bytes, list[Value]] = defaultdict(list)
        for row in self.identifiers:
            self.holders[row[1], row[2]].append(row)
            self.values[row[0]].append((row[1], row[2]))
        self.edges: Edges = edges_of(
            self.identifiers,
            [(one.profile, one.other, one.verdict) for one in self.of_persons],
            [
                (one.profile, one.other, one.rule_version or "", one.verdict)
                for one in self.decisions
                if one.rule_version is not None
            ],
            self.rules,
            self.crowded,
        )

    @property
    def of_persons(self) -> list[Linked]:
        """The decisions by staff."""
        return [one for one in self.decisions if one.rule_version is None]

    def way(self, one: bytes, other: bytes, within: Part | None = None) -> list[PathStep]:
        """The shortest path from `one` to `other`, by the most certain edges; empty if none.

        `within`: only through these profiles (None: through all).
        """
        for layers in range(1, len(LAYERS) + 1):
            found = self._shortest(one, other, LAYERS[:layers], within)
            if found:
                return found
        return []

    def against(self, mine: Part, others: Part) -> Iterator[Objection]:
        """Yields the objections to two members being one."""
        whole = self._component(mine, others)
        for decision in self.of_persons:
            pair = {decision.profile, decision.other}
            between = not pair.isdisjoint(mine) and not pair.isdisjoint(others)
            if decision.verdict != LINKED and (between or pair <= whole):
                yield Objection("person", tuple(sorted(pair)), decision=decision)
        for value in sorted(set().union(*Groups(self.edges).rivals(whole))):
            whose = sorted(row[0] for row in self.holders[value] if row[0] in whole)
            yield Objection("unique_conflict", tuple(whose), value)
        yield from self._no_evidence(mine, others)
        for decision in self.decisions:
            ends = {decision.profile, decision.other}
            if decision.rule_version is None or ends.isdisjoint(mine) or ends.isdisjoint(others):
                continue
            if decision.verdict != LINKED:
                yield Objection("retracted", tuple(sorted(ends)), decision=decision)
            elif decision.rule_version != self.rules.version:
                yield Objection("other_rules", tuple(sorted(ends)), decision=decision)

    def quarantine(self, value: Value) -> Quarantine | None:
        """Why a value is in quarantine; None if it is not, or its kind does not connect."""
        rule = self.rules.kinds.get(value[0])
        if rule is None:
            return None
        times = [row[4] for row in self.holders[value]]
        return quarantined(rule, value[1], times, value in self.crowded)

    def _no_evidence(self, mine: Part, others: Part) -> Iterator[Objection]:
        """Objections for values that both members have and that do not connect them."""
        for value, rows in sorted(self.holders.items()):
            whose = [row for row in rows if row[0] in mine or row[0] in others]
            holding = {row[0] for row in whose}
            if holding.isdisjoint(mine) or holding.isdisjoint(others):
                continue
            rule, found = self.rules.kinds.get(value[0]), tuple(sorted(holding))
            if rule is None:
                yield Objection("weak", found, value)
            elif (why := self.quarantine(value)) is not None:
                yield Objection("quarantined", found, value, why)
            elif not rule.unique and not all(row[3] for row in whose):
                unsure = tuple(sorted(row[0] for row in whose if not row[3]))
                yield Objection("unverified", unsure, value)

    def _component(self, mine: Part, others: Part) -> Part:
        """All profiles connected with both members by edges; empty if no edges connect the two."""
        edges = self.edges
        joined = [*edges.person, *edges.unique, *edges.strong, *edges.found]
        everybody = {*mine, *others, *(profile for edge in joined for profile in edge)}
        for whole in components(everybody, joined):
            if not (whole.isdisjoint(mine) or whole.isdisjoint(others)):
                return whole
        return set()

    def _shortest(
        self, one: bytes, other: bytes, layers: Iterable[By], within: Part | None
    ) -> list[PathStep]:
        came: dict[bytes, PathStep | None] = {one: None}
        waiting = deque([one])
        while waiting and other not in came:
            here = waiting.popleft()
            for step in self._steps(here, layers):
                if step.other not in came and (within is None or step.other in within):
                    came[step.other] = step
                    waiting.append(step.other)
        steps: list[PathStep] = []
        at = came.get(other)
        while at is not None:
            steps.append(at)
            at = came[at.profile]
        return steps[::-1]

    def _steps(self, here: bytes, layers: Iterable[By]) -> Iterator[PathStep]:
        for decision in self.decisions:
            if here in (decision.profile, decision.other) and decision.verdict == LINKED:
                there = decision.other if here == decision.profile else decision.profile
                by: By = "person" if decision.rule_version is None else "rule"
                counts = by == "person" or decision.rule_version == self.rules.version
                if by in layers and counts and not self.edges.are_apart(here, there):
                    yield PathStep(here, there, by, decision=decision)
        for value in self.values.get(here, ()):
            rule = self.rules.kinds.get(value[0])
            if rule is None or ("unique" if rule.unique else "strong") not in layers:
                continue
            sure = [row[0] for row in self.holders[value] if rule.unique or row[3]]
            if here not in sure or self.quarantine(value) is not None:
                continue
            for there in sorted(sure):
                if there != here and not self.edges.are_apart(here, there):
                    yield PathStep(here, there, "unique" if rule.unique else "strong", value)
