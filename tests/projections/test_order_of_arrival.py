"""Facts arrive late; does the time at which they happened decide, and never their arrival?"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.core.tables import StoredTable
from projections.member import PERSONAL, identifier, profile
from schemas.generated.events import (
    Event,
    IdentifierObserved,
    ProfileRegistered,
    ProfileUpdated,
    SubjectErased,
)
from schemas.generated.events.parts import Identifier, Meta, Producer
from tests.drawn import examples
from tests.projections.driving import Engine, Log
from tests.projections.histories import Sent, histories
from tests.projections.saying import T0, meta, named, tell
from tests.projections.saying import identifier as known

DAY = 24 * 60
WHO = named("hanako")


def registered(day: int, source: str = "pos", **said: Any) -> ProfileRegistered:
    fields = {"identifiers": [], "name": b"A", **said}
    return ProfileRegistered(
        meta=meta(minute=day * DAY),
        profile_id=WHO,
        source_system=source,
        registered_at=T0 + day,
        **fields,
    )


def updated(day: int, **said: Any) -> ProfileUpdated:
    return ProfileUpdated(
        meta=meta(minute=day * DAY), profile_id=WHO, **{"identifiers": [], "cleared": [], **said}
    )


def _new() -> Memory:
    return Memory(Group("main", discover()))


def record(events: list[Event]) -> dict[str, Any]:
    """The profile's row after these events, in this order."""
    return tell(_new(), events).table(profile)[(WHO,)]


def test_a_late_update_leaves_a_newer_value() -> None:
    newer, late = updated(100, name=b"B"), updated(50, name=b"C", address=b"old house")
    row = record([registered(0), newer, late])
    assert row["name"] == newer.meta.event_id + b"B"
    assert row["given_at"][PERSONAL.index("name")] == newer.meta.occurred_at
    # the late one is the newest to speak of the address
    assert row["address"] == late.meta.event_id + b"old house"
    assert row["given_at"][PERSONAL.index("address")] == late.meta.occurred_at


def test_a_fact_of_before_1970_counts_like_any_other() -> None:
    before = -T0 // (60_000_000 * DAY) - 400  # days from T0
    first = registered(before, postcode=b"P")
    assert first.meta.occurred_at < 0
    assert record([first])["name"] == first.meta.event_id + b"A"
    row = record([first, updated(before + 1, cleared=["name"])])
    assert (row["name"], row["postcode"]) == (None, first.meta.event_id + b"P")


def test_what_was_cleared_stays_cleared_when_an_older_value_arrives() -> None:
    index = named("postcode")
    events = [
        registered(0, postcode=b"1", postcode_index=index),
        updated(100, cleared=["postcode", "name"]),
        updated(50, postcode=b"2", postcode_index=index, name=b"C"),
    ]
    row = record(events)
    assert row["postcode"] is None and row["postcode_index"] is None and row["name"] is None


def test_a_late_clearing_takes_no_newer_value_away() -> None:
    newer = updated(100, postcode=b"2", postcode_index=named("new"))
    row = record([registered(0), newer, updated(50, cleared=["postcode"])])
    assert row["postcode"] == newer.meta.event_id + b"2"
    assert row["postcode_index"] == named("new")


def test_a_postcode_takes_its_index_along() -> None:
    newer = updated(100, postcode=b"2", postcode_index=named("new"))
    late = updated(50, postcode=b"1", postcode_index=named("old"))
    assert record([registered(0), newer, late])["postcode_index"] == named("new")
    without = updated(200, postcode=b"3")
    assert record([registered(0), newer, without])["postcode_index"] is None


def test_the_newest_registration_counts() -> None:
    row = record([registered(9, source="ec"), registered(3, source="pos")])
    assert (row["source_system"], row["registered_at"]) == ("ec", T0 + 9)


def test_an_identifier_is_shown_as_it_was_first_written() -> None:
    """In time; its field and its sealed value belong to one fact, or nobody could open it."""
    phone = known("phone", "p")
    late = registered(0, identifiers=[known("card", "c"), replace(phone, value=b"first")])
    newer = IdentifierObserved(
        meta=meta(minute=DAY), profile_id=WHO, identifier=replace(phone, value=b"second")
    )
    row = tell(_new(), [newer, late]).table(identifier)[WHO, "phone", phone.value_index]
    assert row["value"] == late.meta.event_id + b"first"
    assert row["field"] == "identifiers[1].value"


def test_an_identifier_said_twice_in_one_fact_can_be_opened() -> None:
    phone = known("phone", "p")
    twice = [replace(phone, value=sealed) for sealed in (b"z", b"a")]
    fact = registered(0, identifiers=twice)
    row = tell(_new(), [fact]).table(identifier)[WHO, "phone", phone.value_index]
    (field,) = (n for n in (0, 1) if fact.meta.event_id + twice[n].value == row["value"])
    assert row["field"] == f"identifiers[{field}].value"


_FIELDS = st.sets(st.sampled_from(PERSONAL))


@st.composite
def facts(draw: st.DrawFn) -> list[Event]:
    """Several facts about one profile; times collide, fields are said and cleared together."""
    found: list[Event] = []
    for number in range(draw(st.integers(2, 5))):
        event_id = bytes([draw(st.integers(0, 3)), number]).rjust(16, b"\0")
        began = draw(st.sampled_from([T0, -1, -T0]))  # around the epoch and before it, too
        at = Meta(
            event_id=event_id,
            occurred_at=began + draw(st.integers(0, 2)),
            producer=Producer(system="pos", channel="STORE"),
        )
        said: dict[str, Any] = dict.fromkeys(draw(_FIELDS), b"%d" % number)
        if "postcode" in said and draw(st.booleans()):
            said["postcode_index"] = named(f"postcode {number}")
        kind = draw(st.sampled_from(["registered", "updated", "updated", "erased", "observed"]))
        one = Identifier(
            kind="phone", value=b"%d" % number, value_index=named("phone"), verified=number % 2 == 0
        )
        if kind == "registered":
            found.append(
                ProfileRegistered(
                    meta=at,
                    profile_id=WHO,
                    source_system=f"s{number}",
                    registered_at=T0 + number,
                    identifiers=[one],
                    **said,
                )
            )
        elif kind == "updated":
            found.append(
                ProfileUpdated(
                    meta=at, profile_id=WHO, identifiers=[], cleared=sorted(draw(_FIELDS)), **said
                )
            )
        elif kind == "observed":
            found.append(IdentifierObserved(meta=at, profile_id=WHO, identifier=one))
        elif draw(st.integers(0, 3)) == 0:
            found.append(SubjectErased(meta=at, profile_id=WHO))
    return found


def test_erased_at_the_epoch_is_erased_in_any_order() -> None:
    def erased(number: int, at: int) -> Event:
        producer = Producer(system="pos", channel="STORE")
        meta = Meta(event_id=bytes([number]).rjust(16, b"\0"), occurred_at=at, producer=producer)
        return SubjectErased(meta=meta, profile_id=WHO)

    facts_of_erasure = [erased(0, -1), erased(1, 0)]
    assert _rows(facts_of_erasure) == _rows(facts_of_erasure[::-1])


@settings(max_examples=examples(150), deadline=None)
@given(facts())
def test_any_order_of_a_profiles_facts_gives_one_record(events: list[Event]) -> None:
    orders = list(permutations(events))[:60]
    expected = _rows(list(events))
    for order in orders:
        assert _rows(list(order)) == expected


def _rows(events: list[Event]) -> list[Any]:
    memory = tell(_new(), events)
    return [memory.table(profile), memory.table(identifier)]


@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories(), seed=st.integers(0, 1 << 32))
def test_any_order_of_arrival_gives_the_same_rows_in_every_projection(
    history: list[Sent], seed: int
) -> None:
    """Within a key too: no table and no evolution goes by arrival, except columns of the first row
    in the log.
    """
    # of what is said twice under one id the first counts, which is the ledger's to judge
    events = list({sent.of: sent.event for sent in reversed(history)}.values())
    shuffled = random.Random(seed).sample(events, len(events))
    group = Group("main", discover())
    one, other = (tell(Memory(group), order) for order in (events, shuffled))
    for table in group.tables:
        if "first" not in {column.kind for column in table.columns.values()}:
            assert _table(one, table) == _table(other, table), table.name


def _table(memory: Memory, table: StoredTable) -> Any:
    return memory.table(table)


@pytest.mark.servers
def test_the_projector_stores_the_same_in_any_order_and_any_batches(engine: Engine) -> None:
    events: list[Event] = [
        registered(0, postcode=b"0", postcode_index=named("0"), identifiers=[known("phone", "p")]),
        updated(100, name=b"B", cleared=["address"]),
        updated(50, name=b"C", address=b"C", postcode=b"1", postcode_index=named("1")),
        updated(50, name=b"D", name_kana=b"D", cleared=["postcode"]),
        IdentifierObserved(meta=meta(minute=-DAY), profile_id=WHO, identifier=known("phone", "p")),
        registered(20, source="ec"),
    ]
    seen = []
    for seed in range(12):
        chance = random.Random(seed)
        engine.reset()
        log = Log()
        for event in chance.sample(events, len(events)):
            log.append(event)
            if chance.random() < 0.5:
                engine.apply(log.batch())
        engine.apply(log.batch())
        seen.append([engine.rows(profile), engine.rows(identifier)])
    assert all(rows == seen[0] for rows in seen)
    assert seen[0] == _rows(events)
