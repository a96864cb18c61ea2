"""Who is one person, whatever the order in which it became known?"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.member import group, identifier, profile
from schemas.generated.events import (
    Event,
    IdentifierObserved,
    ProfileRegistered,
    ProfilesLinked,
    ProfilesUnlinked,
    SubjectErased,
)
from schemas.generated.events.parts import Identifier
from tests.projections.driving import Engine, Log
from tests.projections.saying import T0, meta, named, tell
from tests.projections.saying import identifier as known


def enrolled(who: str, *identifiers: Identifier, at: int = 0) -> ProfileRegistered:
    return ProfileRegistered(
        meta=meta(),
        profile_id=named(who),
        source_system="pos",
        registered_at=T0 + at,
        identifiers=list(identifiers),
        name=b"sealed",
    )


def linked(one: str, other: str, minute: int = 0) -> ProfilesLinked:
    return ProfilesLinked(
        meta=meta(minute=minute),
        link_id=named("l"),
        profile_id=named(one),
        other_profile_id=named(other),
        decided_by="PERSON",
    )


def apart(one: str, other: str, minute: int = 1) -> ProfilesUnlinked:
    return ProfilesUnlinked(
        meta=meta(minute=minute),
        profile_id=named(one),
        other_profile_id=named(other),
        decided_by="PERSON",
    )


def member(memory: Memory, who: str) -> bytes:
    found: bytes = memory.table(group)[(named(who),)]["member_id"]
    return found


def test_store_card_and_web_account_with_one_telephone_are_one_member(memory: Memory) -> None:
    phone = known("phone", "+81 90")
    tell(memory, [enrolled("web", known("account", "a"), phone, at=5)])
    tell(memory, [enrolled("card", known("card", "c"), phone)])
    assert member(memory, "web") == member(memory, "card") == named("card")


def test_an_unverified_mail_address_connects_nobody(memory: Memory) -> None:
    for who in ("one", "other"):
        tell(memory, [enrolled(who, known("email", "e", verified=False))])
    assert member(memory, "one") != member(memory, "other")


def test_two_cards_on_one_telephone_wait_for_a_person_to_decide(memory: Memory) -> None:
    for who in ("one", "other"):
        tell(memory, [enrolled(who, known("card", who), known("phone", "home"))])
    assert member(memory, "one") != member(memory, "other")
    assert memory.table(group)[(named("one"),)]["open_case"]


def test_unlinking_restores_both(memory: Memory) -> None:
    tell(memory, [enrolled("one"), enrolled("other"), linked("one", "other")])
    assert member(memory, "one") == member(memory, "other")
    tell(memory, [apart("other", "one")])
    assert member(memory, "other") == named("other")


def test_the_order_of_arrival_decides_nothing() -> None:
    events: list[Event] = [
        enrolled("one", known("phone", "p"), at=3), enrolled("two", known("phone", "p")),
        IdentifierObserved(meta=meta(), profile_id=named("three"), identifier=known("phone", "p")),
        linked("three", "four"), apart("one", "four"),
    ]  # fmt: skip
    seen = [tell(_new(), order).table(group) for order in permutations(events)]
    assert all(one == seen[0] for one in seen)


def _new() -> Memory:
    return Memory(Group("main", discover()))


def test_after_erasure_nothing_personal_is_left_and_nothing_comes_back(memory: Memory) -> None:
    erased = SubjectErased(meta=meta(), profile_id=named("one"))
    tell(memory, [enrolled("one", known("card", "c")), erased, enrolled("one", known("card", "c"))])
    assert memory.table(profile)[(named("one"),)]["name"] is None
    assert memory.table(identifier) == {}


@pytest.mark.servers
@pytest.mark.parametrize("size", [10, 11, 12, 15])
@pytest.mark.parametrize("leaving", [0, 1, 2])
def test_a_telephone_of_more_than_ten_belongs_to_nobody_until_some_have_left(
    engine: Engine, size: int, leaving: int
) -> None:
    engine.reset()
    first, rest = 9, range(9, size)
    batches: list[list[Any]] = [
        [enrolled(f"p{n}", known("phone", "office"), at=n) for n in range(first)],
        [enrolled(f"p{n}", known("phone", "office"), at=n) for n in rest],
        [SubjectErased(meta=meta(), profile_id=named(f"p{n}")) for n in range(leaving)],
    ]
    log, memory = Log(), Memory(engine.group)
    for events in batches:
        engine.tell(*events, log=log)
        tell(memory, events)
    assert engine.rows(group) == memory.table(group)
    together = {row["member_id"] for row in memory.table(group).values()}
    left = size - leaving
    assert len(together) == (1 if left <= 10 else left) + leaving
