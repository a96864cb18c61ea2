"""Profiles, identifiers, decisions, and who is one member: found anew by walking from each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

PERSONAL = ("name", "name_kana", "postcode", "address", "birth_date")
UNIQUE, STRONG, LIMIT = {"card", "account"}, {"email", "phone"}, 10
Graph = dict[bytes, set[bytes]]


def tables(events: list[Any], erased: set[bytes]) -> dict[str, Iterable[tuple[Any, ...]]]:
    mine = sorted(
        ((read.partition, read.offset, name, event) for read, name, event in events
         if read.topic == "commerce.members"),
        key=lambda one: one[:2],
    )  # fmt: skip
    profiles: dict[bytes, dict[str, Any]] = {}
    identifiers: dict[tuple[bytes, str, bytes], list[Any]] = {}
    decisions: dict[tuple[bytes, bytes], list[tuple[int, str, str]]] = defaultdict(list)
    for _, _, name, event in mine:
        if name in ("ProfileRegistered", "ProfileUpdated", "SubjectErased"):
            _change(profiles.setdefault(event["profile_id"], {}), name, event)
        for field, one in _seen(name, event):
            _observe(identifiers, event, field, one)
        if name in ("ProfilesLinked", "ProfilesUnlinked", "LinkDeclined"):
            one, other = sorted((event["profile_id"], event["other_profile_id"]))
            verdict = "linked" if name == "ProfilesLinked" else "apart"
            decisions[one, other].append(
                (event["meta"]["occurred_at"], verdict, event["decided_by"])
            )
    kept = {key: value for key, value in identifiers.items() if key[0] not in erased}
    links = {pair: (max(at for at, _, _ in said), *_last(said)) for pair, said in decisions.items()}
    names = ("source_system", "registered_at", *PERSONAL[:3], "postcode_index", *PERSONAL[3:])
    for profile in erased & profiles.keys():
        profiles[profile].update(dict.fromkeys((*PERSONAL, "postcode_index")))
    return {
        "profile": [
            (profile, *(row.get(name) for name in (*names, "erased_at")))
            for profile, row in profiles.items()
        ],
        "identifier": [(*key, *value) for key, value in kept.items()],
        "profile_link": [(*pair, *row) for pair, row in links.items()],
        "member_group": list(_groups(profiles, kept, links)),
    }  # fmt: skip


def _change(row: dict[str, Any], name: str, event: Any) -> None:
    if name == "SubjectErased":
        row["erased_at"] = event["meta"]["occurred_at"]
        return
    if name == "ProfileRegistered":
        row["source_system"], row["registered_at"] = event["source_system"], event["registered_at"]
    for cleared in event.get("cleared", ()):
        row[cleared] = None
        if cleared == "postcode":
            row["postcode_index"] = None
    for field in PERSONAL:
        if event[field] is not None:
            row[field] = event["meta"]["event_id"] + event[field]
    if event["postcode_index"] is not None:
        row["postcode_index"] = event["postcode_index"]


def _seen(name: str, event: Any) -> list[tuple[str, Any]]:
    if name == "IdentifierObserved":
        return [("identifier.value", event["identifier"])]
    found = event.get("identifiers") or ()
    return [(f"identifiers[{number}].value", one) for number, one in enumerate(found)]


def _observe(identifiers: dict[Any, list[Any]], event: Any, field: str, one: Any) -> None:
    """The first sealed value stays; that it was verified once, and when last seen."""
    at = event["meta"]["occurred_at"]
    sealed = event["meta"]["event_id"] + one["value"]
    key = (event["profile_id"], one["kind"], one["value_index"])
    row = identifiers.setdefault(key, [sealed, field, one["verified"], at])
    row[2], row[3] = row[2] or one["verified"], max(row[3], at)


def _last(said: list[tuple[int, str, str]]) -> tuple[str, str]:
    last = max(at for at, _, _ in said)
    of_then = [(verdict, by) for at, verdict, by in said if at == last]
    return max(verdict for verdict, _ in of_then), max(by for _, by in of_then)


def _groups(profiles: Any, identifiers: Any, links: Any) -> Iterable[tuple[Any, ...]]:
    linked, apart, unique, strong = _graph(), set(), _graph(), _graph()
    everyone = {
        *profiles,
        *(key[0] for key in identifiers),
        *(one for pair in links for one in pair),
    }
    for (one, other), (_, verdict, _) in links.items():
        if verdict == "linked":
            _join(linked, [one, other])
        else:
            apart.add((one, other))
    sharing: dict[tuple[str, bytes], list[tuple[bytes, bool]]] = defaultdict(list)
    own: dict[bytes, set[tuple[str, bytes]]] = defaultdict(set)
    for (profile, kind, value), row in identifiers.items():
        sharing[kind, value].append((profile, row[2]))
        if kind in UNIQUE:
            own[profile].add((kind, value))
    for (kind, _), whose in sharing.items():
        if len(whose) <= LIMIT and kind in UNIQUE:
            _join(unique, [profile for profile, _ in whose])
        elif len(whose) <= LIMIT and kind in STRONG:
            _join(strong, [profile for profile, verified in whose if verified])
    done: set[bytes] = set()
    for profile in everyone:
        if profile in done:
            continue
        whole = _reached(profile, [linked, unique, strong])
        done |= whole
        parts = [whole]
        if _two_of_a_kind(whole, own) or _torn(whole, apart):
            parts = []
            for part in _split(whole, [linked, unique]):
                parts += _split(part, [linked]) if _torn(part, apart) else [part]
        for part in parts:
            ordered = sorted(part, key=lambda one: _seniority(one, profiles))
            for one in part:
                yield (one, ordered[0], tuple(ordered), len(parts) > 1)


def _graph() -> Graph:
    return defaultdict(set)


def _join(graph: Graph, nodes: list[bytes]) -> None:
    for node in nodes:
        graph[node].update(nodes)


def _reached(start: bytes, graphs: list[Graph]) -> set[bytes]:
    found, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        near = set().union(*(graph.get(node, set()) for graph in graphs)) - found
        found |= near
        waiting += near
    return found


def _split(whole: set[bytes], graphs: list[Graph]) -> list[set[bytes]]:
    left, parts = set(whole), []
    while left:
        parts.append(_reached(next(iter(left)), graphs))
        left -= parts[-1]
    return parts


def _two_of_a_kind(whole: set[bytes], own: dict[bytes, set[tuple[str, bytes]]]) -> bool:
    values = set().union(*(own.get(profile, set()) for profile in whole))
    kinds = [kind for kind, _ in values]
    return len(kinds) != len(set(kinds))


def _torn(part: set[bytes], apart: set[tuple[bytes, bytes]]) -> bool:
    # the pairs are few: the larger set need not be walked
    return any(one in part and other in part for one, other in apart)


def _seniority(profile: bytes, profiles: Any) -> tuple[Any, ...]:
    registered = profiles.get(profile, {}).get("registered_at")
    return (registered is None, registered or 0, profile)
