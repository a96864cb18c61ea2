"""Is who is one person a function of what is known, and of nothing else?"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.member import group, identifier, link, profile, proposal, rules
from projections.member.grouping import components
from projections.member.rules import DEFAULT
from schemas.generated.events import Event
from tests.drawn import examples
from tests.faults.expected import members as oracle
from tests.projections.worlds import worlds

GROUP = Group("main", [one for one in discover() if one.name == "member"])
Rows = dict[tuple[Any, ...], dict[str, Any]]
drawn = settings(max_examples=examples(400), deadline=None)


def remembered(events: list[Event]) -> Memory:
    memory = Memory(GROUP)
    for event in events:
        memory.take(event, 0)
    return memory


def members(memory: Memory) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for (one,), row in memory.table(group).items():
        found[row["member_id"]].append(one)
    return found


@drawn
@given(worlds(), st.randoms(use_true_random=False))
def test_any_order_and_any_resends_give_the_same_groups(events: list[Event], chance: Any) -> None:
    again = [*events, *chance.sample(events, len(events) // 3)]
    chance.shuffle(again)
    one, other = remembered(events), remembered(again)
    assert one.table(group) == other.table(group)


@drawn
@given(worlds())
def test_everybody_is_in_one_member_that_knows_them(events: list[Event]) -> None:
    rows = remembered(events).table(group)
    named = Counter(
        one for (who,), row in rows.items() if who == row["member_id"] for one in row["profiles"]
    )
    assert named == Counter(who for (who,) in rows)
    for (who,), row in rows.items():
        head = rows[(row["member_id"],)]
        assert head["member_id"] == row["member_id"]
        assert who in head["profiles"]
        assert row["profiles"] in (None, head["profiles"])


@drawn
@given(worlds())
def test_two_unique_ids_of_one_kind_meet_only_where_a_person_or_a_profile_joins_them(
    events: list[Event],
) -> None:
    memory = remembered(events)
    said = memory.table(link).values()
    linked = [
        (row["profile_id"], row["other_profile_id"]) for row in said if row["verdict"] == "linked"
    ]
    unique = _unique(memory)
    for part in members(memory).values():
        ids = {one: set(unique.get(one, ())) for one in part}
        joined = [
            (value, other)
            for person in components(part, linked)
            for kind in {kind for one in person for kind, _ in ids[one]}
            for values in [[v for one in person for v in ids[one] if v[0] == kind]]
            for value, other in pairwise(values)
        ]
        everything = {value for values in ids.values() for value in values}
        apart = components(everything, joined)
        assert len(apart) == len({kind for kind, _ in everything})


@drawn
@given(worlds())
def test_whom_a_person_set_apart_only_persons_bring_together(events: list[Event]) -> None:
    memory = remembered(events)
    said = list(memory.table(link).values())
    pairs = {(row["profile_id"], row["other_profile_id"]): row["verdict"] for row in said}
    linked = [pair for pair, verdict in pairs.items() if verdict == "linked"]
    for part in members(memory).values():
        for one, other in (pair for pair, verdict in pairs.items() if verdict == "apart"):
            if one != other and one in part and other in part:
                (whole,) = [each for each in components(part, linked) if one in each]
                assert other in whole


@drawn
@given(worlds(80))
def test_walking_from_each_profile_finds_the_same(events: list[Event]) -> None:
    memory = remembered(events)
    seen = {
        key: (None, None, row["verified"], row["seen_at"], row["first_seen"])
        for key, row in memory.table(identifier).items()
    }
    decided = {key: (row["decided_at"], row["verdict"]) for key, row in memory.table(link).items()}
    found = {
        key: (row["decided_at"], row["verdict"]) for key, row in memory.table(proposal).items()
    }
    versions = [
        (*key, row["set_at"], row["identifiers"], row["survivorship"])
        for key, row in memory.table(rules).items()
    ]
    states = {key[0]: row for key, row in memory.table(profile).items()}
    expected = oracle.groups(states, seen, decided, found, versions)
    rows = memory.table(group)
    assert {
        (who, row["member_id"], row["profiles"] and tuple(row["profiles"]), row["open_case"])
        for (who,), row in rows.items()
    } == set(expected)


def _unique(memory: Memory) -> dict[bytes, list[tuple[str, bytes]]]:
    """Unique ids in use by profile; one that too many have, or a blocked one, is nobody's."""
    newest = max(memory.table(rules).items(), default=None)
    kinds = oracle.USUAL if newest is None else oracle.json.loads(newest[1]["identifiers"])
    assert newest is not None or kinds.keys() == DEFAULT.identifiers.keys()
    sharing: dict[tuple[str, bytes], list[tuple[bytes, int]]] = defaultdict(list)
    for (who, kind, value), row in memory.table(identifier).items():
        if kinds.get(kind, {}).get("class") == "unique":
            sharing[kind, value].append((who, row["first_seen"]))
    found: dict[bytes, list[tuple[str, bytes]]] = defaultdict(list)
    for (kind, value), whose in sharing.items():
        if len(whose) <= kinds[kind].get("limit", 10):
            for who, _ in whose:
                found[who].append((kind, value))
    return found
