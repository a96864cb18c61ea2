"""Profiles, their identifiers, and what persons and rules decided about pairs of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from tests.faults.expected import members

REGISTERED = ("source_system", "registered_at", "registration_at", "registration_id")
PERSONAL = ("name", "name_kana", "postcode", "address", "birth_date")


def tables(events: list[Any], erased: set[bytes]) -> dict[str, Iterable[tuple[Any, ...]]]:
    mine = sorted(
        ((read.partition, read.offset, name, event) for read, name, event in events
         if read.topic == "commerce.members"),
        key=lambda one: one[:2],
    )  # fmt: skip
    said: dict[bytes, list[tuple[str, Any]]] = defaultdict(list)
    seen: dict[tuple[bytes, str, bytes], list[tuple[Any, ...]]] = defaultdict(list)
    decisions: dict[tuple[bytes, bytes], list[tuple[Any, ...]]] = defaultdict(list)
    found: dict[tuple[bytes, bytes, str], list[tuple[Any, ...]]] = defaultdict(list)
    for _, _, name, event in mine:
        if name in ("ProfileRegistered", "ProfileUpdated", "SubjectErased"):
            said[event["profile_id"]].append((name, event))
        for field, one in _seen(name, event):
            _observe(seen, event, field, one)
        if name in ("ProfilesLinked", "ProfilesUnlinked", "LinkDeclined"):
            _decide(decisions, found, name, event)
    profiles = {profile: _profile(facts) for profile, facts in said.items()}
    kept = {key: _identifier(facts) for key, facts in seen.items() if key[0] not in erased}
    links = {pair: _last(verdicts) for pair, verdicts in decisions.items()}
    proposals = {key: _last(verdicts) for key, verdicts in found.items()}
    rules = members.rules_rows(events)
    names = (*REGISTERED, *PERSONAL[:3], "postcode_index", *PERSONAL[3:])
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


def _profile(facts: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of each field the newest fact, then the one with the greater id; none was cleared last."""
    row: dict[str, Any] = {}
    registrations = [(_when(event), event) for name, event in facts if name == "ProfileRegistered"]
    if registrations:
        when, newest = max(registrations, key=lambda one: one[0])
        values = (newest["source_system"], newest["registered_at"], *when)
        row.update(zip(REGISTERED, values, strict=True))
    erasures = [event["meta"]["occurred_at"] for name, event in facts if name == "SubjectErased"]
    row["erased_at"] = max(erasures, default=None)
    known = [event for name, event in facts if name != "SubjectErased"]
    newest_of = [_newest(field, known) for field in PERSONAL]
    if known:
        row["given_at"] = tuple(at for at, _, _ in newest_of)
    for field, (_, value, index) in zip(PERSONAL, newest_of, strict=True):
        row[field] = value
        if field == "postcode":
            row["postcode_index"] = index
    return row


NEVER = -(2**62)  # as the table writes a time of a field that was never said nor cleared


def _newest(field: str, known: list[Any]) -> tuple[int, bytes | None, bytes | None]:
    """When a field was last said or cleared, its value, and the index that came with it."""
    statements = []
    for event in known:
        at, event_id = _when(event)
        if event[field] is not None:
            statements.append((at, True, event_id, event[field], event["postcode_index"]))
        elif field in event.get("cleared", ()):
            statements.append((at, False, event_id, b"", None))
    if not statements:
        return NEVER, None, None
    at, said, event_id, sealed, index = max(statements, key=lambda one: one[:3])
    return (at, event_id + sealed, index) if said else (at, None, None)


def _when(event: Any) -> tuple[int, bytes]:
    return event["meta"]["occurred_at"], event["meta"]["event_id"]


def _seen(name: str, event: Any) -> list[tuple[str, Any]]:
    if name == "IdentifierObserved":
        return [("identifier.value", event["identifier"])]
    found = event.get("identifiers") or ()
    return [(f"identifiers[{number}].value", one) for number, one in enumerate(found)]


def _observe(seen: dict[Any, list[tuple[Any, ...]]], event: Any, field: str, one: Any) -> None:
    at, event_id = _when(event)
    key = (event["profile_id"], one["kind"], one["value_index"])
    seen[key].append((at, event_id + one["value"], field, one["verified"]))


def _identifier(facts: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """As it was first written; that it was verified once, and when last and first seen."""
    first, sealed, field, _ = min(facts, key=lambda one: one[:2])
    verified = any(one[3] for one in facts)
    return sealed, field, verified, max(one[0] for one in facts), first


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
