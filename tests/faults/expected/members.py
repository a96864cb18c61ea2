"""Who is one member, by which rules? Found anew by walking from each profile."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

DAY = 86_400_000_000
USUAL = {
    "card": {"class": "unique"},
    "account": {"class": "unique"},
    "email": {"class": "strong"},
    "phone": {"class": "strong"},
}
Graph = dict[bytes, set[bytes]]
Value = tuple[str, bytes]
Pair = tuple[bytes, bytes]


def rules_rows(events: Iterable[tuple[Any, str, Any]]) -> list[tuple[Any, ...]]:
    """Every version of the identity rules that was said; of two the later one counts."""
    said: dict[tuple[str, int, str], list[tuple[int, str, str | None]]] = defaultdict(list)
    for _, name, event in events:
        if name == "MatchRulesActivated" and event["rule_set"] == "identity":
            rules = json.loads(event["rules"])
            key = ("identity", event["valid_from"], event["version"])
            at, parts = event["meta"]["occurred_at"], (_text(rules, "identifiers"),)
            said[key].append((at, *parts, _text(rules, "survivorship")))
    rows = []
    for key, several in said.items():
        last = max(at for at, _, _ in several)
        of_then = [one for one in several if one[0] == last]
        survivorships = [text for _, _, text in of_then if text is not None]
        rows.append(
            (*key, last, max(text for _, text, _ in of_then), max(survivorships, default=None))
        )
    return rows


def _text(rules: Any, part: str) -> Any:
    found = rules.get(part)
    return found and json.dumps(found, separators=(",", ":"), sort_keys=True)


def groups(
    profiles: Any, identifiers: Any, links: Any, found: Any, versions: list[tuple[Any, ...]]
) -> Iterable[tuple[Any, ...]]:
    """The rows of member_group."""
    newest = max(versions, key=lambda row: (row[1], row[2]), default=None)
    kinds = json.loads(newest[4]) if newest else USUAL
    version = newest[2] if newest else "default"
    world = _World(profiles, identifiers, links, kinds)
    proposals = [
        (one, other)
        for (one, other, rules), row in found.items()
        if rules == version and row[1] == "linked" and (one, other) not in world.apart
    ]
    everyone = {
        *profiles,
        *(key[0] for key in identifiers),
        *(one for pair in links for one in pair),
        *(one for key in found for one in key[:2]),
    }
    for part, waits in world.members(everyone, proposals):
        ordered = sorted(part, key=lambda one: _seniority(one, profiles))
        for one in part:
            whole = tuple(ordered) if len(part) <= 16 or one == ordered[0] else None
            yield (one, ordered[0], whole, waits)


class _World:
    def __init__(self, profiles: Any, identifiers: Any, links: Any, kinds: Any) -> None:
        self.linked, self.unique, self.strong = _graph(), _graph(), _graph()
        self.apart = {
            pair for pair, row in links.items() if row[1] != "linked" and pair[0] != pair[1]
        }
        self.own: dict[bytes, set[Value]] = defaultdict(set)
        for (one, other), row in links.items():
            if row[1] == "linked":
                self._join(self.linked, one, other)
        sharing: dict[Value, list[tuple[bytes, bool, int]]] = defaultdict(list)
        for (profile, kind, value), row in identifiers.items():
            if kinds.get(kind, {"class": "weak"})["class"] != "weak":
                sharing[kind, value].append((profile, row[2], row[4]))
        for (kind, value), whose in sharing.items():
            if _nobodys(kinds[kind], value, [first for _, _, first in whose]):
                continue
            unique = kinds[kind]["class"] == "unique"
            for profile, _, _ in whose if unique else ():
                self.own[profile].add((kind, value))
            sure = [profile for profile, verified, _ in whose if verified or unique]
            for one in sure:
                for other in sure:
                    if one < other and (one, other) not in self.apart:
                        self._join(self.unique if unique else self.strong, one, other)

    @staticmethod
    def _join(graph: Graph, one: bytes, other: bytes) -> None:
        graph[one].add(other)
        graph[other].add(one)

    def members(
        self, everyone: set[bytes], proposals: list[Pair]
    ) -> Iterable[tuple[set[bytes], bool]]:
        parts: list[set[bytes]] = []
        cases: list[set[bytes]] = []
        for whole in _split(everyone, [self.linked, self.unique, self.strong]):
            if not self.impossible(whole):
                parts.append(whole)
                continue
            cases.append(whole)
            for part in _split(whole, [self.linked, self.unique]):
                parts += _split(part, [self.linked]) if self.impossible(part) else [part]
        waits = set().union(*cases)
        of = {one: number for number, part in enumerate(parts) for one in part}
        case_of = {one: number for number, case in enumerate(cases) for one in case}
        near: dict[int, set[int]] = defaultdict(set)
        for one, other in proposals:
            a, b = of[one], of[other]
            if a == b or (one in case_of and case_of[one] == case_of.get(other)):
                continue
            if self.impossible(parts[a] | parts[b]):
                waits |= parts[a] | parts[b]
            else:
                near[a].add(b)
                near[b].add(a)
        for numbers in _split(set(range(len(parts))), [near]):
            union = set().union(*(parts[number] for number in numbers))
            if len(numbers) > 1 and self.impossible(union):
                waits |= union
                yield from ((parts[number], True) for number in numbers)
            else:
                yield union, bool(union & waits)

    def impossible(self, part: set[bytes]) -> bool:
        if any(one in part and other in part for one, other in self.apart):
            return True
        for kind in {kind for one in part for kind, _ in self.own.get(one, ())}:
            # ids that one profile holds, or that persons joined, hang together
            near: dict[Value, set[Value]] = {}
            for person in _split(part, [self.linked]):
                ids = {
                    value for one in person for value in self.own.get(one, ()) if value[0] == kind
                }
                for value in ids:
                    near.setdefault(value, set()).update(ids)
            if len(_split(set(near), [near])) > 1:
                return True
        return False


def _nobodys(rule: Any, value: bytes, first_seen: list[int]) -> bool:
    limit, days = rule.get("limit", 10), rule.get("window_days")
    if value.hex() in rule.get("blocked", ()):
        return True
    if len(first_seen) <= limit:
        return False
    if days is None or len(first_seen) > 20 * limit:
        return True
    return any(
        sum(start <= one <= start + days * DAY for one in first_seen) > limit
        for start in first_seen
    )


def _graph() -> Graph:
    return defaultdict(set)


def _split(whole: set[Any], graphs: list[Any]) -> list[set[Any]]:
    left, parts = set(whole), []
    while left:
        start = left.pop()
        reached, waiting = {start}, [start]
        while waiting:
            node = waiting.pop()
            near = set().union(*(graph.get(node, set()) for graph in graphs)) - reached
            near &= whole
            reached |= near
            waiting += near
        parts.append(reached)
        left -= reached
    return parts


def _seniority(profile: bytes, profiles: Any) -> tuple[Any, ...]:
    registered = profiles.get(profile, {}).get("registered_at")
    return (registered is None, registered or 0, profile)
