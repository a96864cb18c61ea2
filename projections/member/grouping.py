"""Which profiles are one member? A pure function of what was observed and decided.

Profiles that share a unique or strong identifier, or that somebody linked, are one member. A
component that would hold two unique ids of one kind, or two profiles that a person set apart,
keeps to its unique ids; its strong edges wait for a person (an open case).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

UNIQUE = ("account", "card")
STRONG = ("email", "phone")
CONNECTING = UNIQUE + STRONG
LIMIT = 10  # a value on more profiles than this belongs to nobody in particular
Edge = tuple[bytes, bytes]


def members_of(
    nodes: Mapping[bytes, Mapping[str, Any]],
    identifiers: Iterable[Mapping[str, Any]],
    links: Iterable[Mapping[str, Any]],
) -> dict[bytes, dict[str, Any]]:
    """For each profile: its member id, the member's profiles in order, whether a case is open."""
    rows = list(identifiers)
    everyone = set(nodes) | {row["profile_id"] for row in rows}
    together, apart = _decisions(links)
    everyone |= {profile for pair in (*together, *apart) for profile in pair}
    unique = _edges(rows, UNIQUE)
    strong = _edges(rows, STRONG)
    certain, linked, set_apart = map(_by_profile, ([*unique, *together], together, apart))
    owned = _owned(rows)
    found = {}
    for component in _components(everyone, [*unique, *strong, *together]):
        parts = [component]
        if _two_of_a_kind(component, owned) or _torn(component, set_apart):
            parts = [
                part
                for whole in _components(component, _within(component, certain))
                for part in (
                    _components(whole, _within(whole, linked))
                    if _torn(whole, set_apart)
                    else [whole]
                )
            ]
        for part in parts:
            ordered = sorted(part, key=lambda profile: _seniority(profile, nodes.get(profile)))
            for profile in part:
                found[profile] = {
                    "member_id": ordered[0],
                    "profiles": ordered,
                    "open_case": len(parts) > 1,
                }
    return found


def _seniority(profile: bytes, state: Mapping[str, Any] | None) -> tuple[bool, int, bytes]:
    """The earliest registered profile first, then the smallest id; unregistered ones last."""
    registered = state["registered_at"] if state else None
    return (registered is None, registered or 0, profile)


def _decisions(links: Iterable[Mapping[str, Any]]) -> tuple[list[Edge], list[Edge]]:
    together: list[Edge] = []
    apart: list[Edge] = []
    for row in links:
        pair = (row["profile_id"], row["other_profile_id"])
        (together if row["verdict"] == "linked" else apart).append(pair)
    return together, apart


def _edges(rows: list[Mapping[str, Any]], kinds: tuple[str, ...]) -> list[Edge]:
    """A strong identifier connects where it is verified; everybody counts towards the limit."""
    sharing: dict[tuple[str, bytes], dict[bytes, bool]] = defaultdict(dict)
    for row in rows:
        if row["kind"] in kinds:
            sure = bool(row["verified"]) or row["kind"] in UNIQUE
            sharing[row["kind"], row["value_index"]][row["profile_id"]] = sure
    edges = []
    for profiles in sharing.values():
        connected = sorted(profile for profile, sure in profiles.items() if sure)
        if len(profiles) <= LIMIT and connected:
            first, *others = connected
            edges += [(first, other) for other in others]
    return edges


def _owned(rows: list[Mapping[str, Any]]) -> dict[bytes, set[tuple[str, bytes]]]:
    """The unique ids of each profile."""
    owned: dict[bytes, set[tuple[str, bytes]]] = defaultdict(set)
    for row in rows:
        if row["kind"] in UNIQUE:
            owned[row["profile_id"]].add((row["kind"], row["value_index"]))
    return owned


def _two_of_a_kind(component: set[bytes], owned: dict[bytes, set[tuple[str, bytes]]]) -> bool:
    values = {value for profile in component for value in owned.get(profile, ())}
    return len(values) > len({kind for kind, _ in values})


def _by_profile(edges: Iterable[Edge]) -> dict[bytes, list[Edge]]:
    found: dict[bytes, list[Edge]] = defaultdict(list)
    for edge in edges:
        found[edge[0]].append(edge)
    return found


def _within(part: set[bytes], edges: dict[bytes, list[Edge]]) -> list[Edge]:
    """Edges that begin in the part; looked up, for a batch holds hundreds of components."""
    return [edge for profile in part for edge in edges.get(profile, ())]


def _torn(part: set[bytes], apart: dict[bytes, list[Edge]]) -> bool:
    return any(other in part for _, other in _within(part, apart))


def _components(nodes: set[bytes], edges: Iterable[Edge]) -> list[set[bytes]]:
    parent = {node: node for node in nodes}

    def root(node: bytes) -> bytes:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in edges:
        if one in parent and other in parent:
            parent[root(one)] = root(other)
    components: dict[bytes, set[bytes]] = defaultdict(set)
    for node in nodes:
        components[root(node)].add(node)
    return list(components.values())
