"""Profiles, their identifiers, and what persons and rules decided about pairs of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from tests.faults.expected import members

PERSONAL = ("name", "name_kana", "postcode", "address", "birth_date")


def tables(events: list[Any], erased: set[bytes]) -> dict[str, Iterable[tuple[Any, ...]]]:
    mine = sorted(
        ((read.partition, read.offset, name, event) for read, name, event in events
         if read.topic == "commerce.members"),
        key=lambda one: one[:2],
    )  # fmt: skip
    profiles: dict[bytes, dict[str, Any]] = {}
    identifiers: dict[tuple[bytes, str, bytes], list[Any]] = {}
    decisions: dict[tuple[bytes, bytes], list[tuple[Any, ...]]] = defaultdict(list)
    found: dict[tuple[bytes, bytes, str], list[tuple[Any, ...]]] = defaultdict(list)
    for _, _, name, event in mine:
        if name in ("ProfileRegistered", "ProfileUpdated", "SubjectErased"):
            _change(profiles.setdefault(event["profile_id"], {}), name, event)
        for field, one in _seen(name, event):
            _observe(identifiers, event, field, one)
        if name in ("ProfilesLinked", "ProfilesUnlinked", "LinkDeclined"):
            _decide(decisions, found, name, event)
    kept = {key: value for key, value in identifiers.items() if key[0] not in erased}
    links = {pair: _last(said) for pair, said in decisions.items()}
    proposals = {key: _last(said) for key, said in found.items()}
    rules = members.rules_rows(events)
    names = ("source_system", "registered_at", *PERSONAL[:3], "postcode_index", *PERSONAL[3:])
    for profile in erased & profiles.keys():
        profiles[profile].update(dict.fromkeys((*PERSONAL, "postcode_index", "given_at")))
    return {
        "profile": [
            (profile, *(row.get(name) for name in (*names, "given_at", "erased_at")))
            for profile, row in profiles.items()
        ],
        "identifier": [(*key, *value) for key, value in kept.items()],
        "profile_link": [(*pair, *row) for pair, row in links.items()],
        "rule_link": [(*key, *row) for key, row in proposals.items()],
        "match_rules": rules,
        "member_group": list(members.groups(profiles, kept, links, proposals, rules)),
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
    given_at = list(row.get("given_at") or (0,) * len(PERSONAL))
    for number, field in enumerate(PERSONAL):
        if event[field] is not None:
            row[field] = event["meta"]["event_id"] + event[field]
            given_at[number] = event["meta"]["occurred_at"]
    row["given_at"] = tuple(given_at)
    if event["postcode_index"] is not None:
        row["postcode_index"] = event["postcode_index"]


def _seen(name: str, event: Any) -> list[tuple[str, Any]]:
    if name == "IdentifierObserved":
        return [("identifier.value", event["identifier"])]
    found = event.get("identifiers") or ()
    return [(f"identifiers[{number}].value", one) for number, one in enumerate(found)]


def _observe(identifiers: dict[Any, list[Any]], event: Any, field: str, one: Any) -> None:
    """The first sealed value stays; that it was verified once, and when last and first seen."""
    at = event["meta"]["occurred_at"]
    sealed = event["meta"]["event_id"] + one["value"]
    key = (event["profile_id"], one["kind"], one["value_index"])
    row = identifiers.setdefault(key, [sealed, field, one["verified"], at, at])
    row[2], row[3] = row[2] or one["verified"], max(row[3], at)
    row[4] = min(row[4], at)


def _decide(decisions: Any, found: Any, name: str, event: Any) -> None:
    one, other = sorted((event["profile_id"], event["other_profile_id"]))
    at, linked = event["meta"]["occurred_at"], name == "ProfilesLinked"
    if event["decided_by"] == "PERSON":
        decisions[one, other].append((at, "linked" if linked else "apart", event["actor"]))
        return
    evidence = event.get("evidence")
    said = (at, "linked" if linked else "retracted", event.get("weight"), evidence)
    found[one, other, event["rule_version"] or ""].append(said)


def _last(said: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """What was said last; of several said then, the greatest of each."""
    last = max(one[0] for one in said)
    of_then = [one[1:] for one in said if one[0] == last]
    return last, *(_greatest(values) for values in zip(*of_then, strict=True))


def _greatest(values: tuple[Any, ...]) -> Any:
    found = [value for value in values if value is not None]
    return None if not found else max(tuple(v) if isinstance(v, list) else v for v in found)
