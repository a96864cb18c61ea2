"""Do several processes come to the groups that one event at a time would give? In Postgres."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infra.backend import Endpoints
from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.core.sql import payload, quoted
from schemas.generated.events import Event, LinkDeclined, ProfilesLinked, ProfilesUnlinked
from schemas.generated.events.parts import Meta, Producer
from schemas.wire.codec import key_of
from services.projector.writer import Writer
from tests.drawn import examples
from tests.projections.driving import Engine, Log, Place, Record, place_of
from tests.projections.histories import Sent, histories, interleaved
from tests.projections.worlds import T0, profile, worlds

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]
PROCESSES = 3
DECISIONS = (ProfilesLinked, ProfilesUnlinked, LinkDeclined)
few = settings(
    max_examples=examples(30), deadline=None, print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


@pytest.fixture(scope="module")
def writers(engine: Engine) -> list[Writer]:
    return [engine.another(UUID(int=2 + number)) for number in range(PROCESSES)]


@few
@given(events=worlds(200, 60), seed=st.integers(0, 1 << 32))
def test_processes_that_race_come_to_the_same_groups(
    engine: Engine, writers: list[Writer], events: list[Event], seed: int
) -> None:
    chance, memory = random.Random(seed), Memory(engine.group)
    engine.reset()
    for writer in writers:
        writer.recent.clear()
    for event in events:
        memory.take(event, engine.source(*place_of(event.TOPIC, key_of(event))))
    again = [*events, *chance.sample(events, len(events) // 4)]
    shares = _shared(_batches(again, chance), chance)
    failed: list[BaseException] = []

    def work(writer: Writer, batches: list[dict[Place, list[Record]]]) -> None:
        try:
            for batch in batches:
                for _ in writer.apply(engine.work(batch, writer)):
                    pass
        except BaseException as error:  # told to the thread that waits
            failed.append(error)

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(writers, shares, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    for table in engine.group.tables:
        if table.projection == "member":
            assert engine.rows(table) == memory.table(table), table.name
    assert engine.counts()["next_offset"] == len(again)


@few
@given(history=histories(), seed=st.integers(0, 1 << 32))
def test_a_link_that_was_undone_leaves_no_byte_behind(
    engine: Engine, history: list[Sent], seed: int
) -> None:
    chance = random.Random(seed)
    apart = [sent for sent in history if not isinstance(sent.event, DECISIONS)]
    without = _stored(engine, interleaved(apart, seed), chance)
    linked = interleaved(apart, seed)
    pairs = [chance.sample(_profiles(linked), 2) for _ in range(3)]
    for number, (one, other) in enumerate(pairs):
        for event in _linked_and_undone(number, one, other, chance):
            at = chance.randint(0, len(linked))
            linked.insert(at, Sent(event, -1))
    between = [sent.event.NAME for sent in linked]
    assert {"ProfilesLinked", "ProfilesUnlinked"} <= set(between)
    assert _stored(engine, linked, chance) == without


def _batches(events: list[Event], chance: Any) -> list[dict[Place, list[Record]]]:
    log, batches = Log(), []
    for event in events:
        log.append(event)
        if chance.random() < 0.3:
            batches.append(log.batch())
    return [batch for batch in (*batches, log.batch()) if batch]


def _shared(
    batches: list[dict[Place, list[Record]]], chance: Any
) -> list[list[dict[Place, list[Record]]]]:
    """Each partition belongs to one process, as it does in a consumer group."""
    owner: dict[Place, int] = defaultdict(lambda: chance.randrange(PROCESSES))
    shares: list[list[dict[Place, list[Record]]]] = [[] for _ in range(PROCESSES)]
    for batch in batches:
        for number in range(PROCESSES):
            own = {place: records for place, records in batch.items() if owner[place] == number}
            if own:
                shares[number].append(own)
    return shares


def _profiles(sent: list[Sent]) -> list[bytes]:
    """Who is spoken of, and some more."""
    named = {getattr(one.event, "profile_id", None) for one in sent} - {None}
    return [*sorted(named), profile(1), profile(2)]


def _linked_and_undone(number: int, one: bytes, other: bytes, chance: Any) -> list[Event]:
    """In any order in the log: when it was decided counts."""
    by = chance.choice(["PERSON", "RULE"])
    version = None if by == "PERSON" else "default"

    def meta(which: int, at: int) -> Meta:
        event_id = b"link".ljust(14, b"\0") + bytes([number, which])
        return Meta(
            event_id=event_id, occurred_at=T0 + at, producer=Producer(system="pos", channel="STORE")
        )

    return [
        ProfilesLinked(
            meta=meta(1, 0),
            link_id=one,
            profile_id=one,
            other_profile_id=other,
            decided_by=by,
            rule_version=version,
        ),
        ProfilesUnlinked(
            meta=meta(2, 60),
            profile_id=one,
            other_profile_id=other,
            decided_by=by,
            rule_version=version,
        ),
    ]


def _stored(engine: Engine, sent: list[Sent], chance: Any) -> dict[str, list[str]]:
    """Every row of every projection that is keyed by profile, as text."""
    log = Log()
    engine.reset()
    for one in sent:
        log.append(one.event)
        if chance.random() < 0.15:
            engine.apply(log.batch())
    engine.apply(log.batch())
    found = {}
    for table in Group("main", [p for p in discover() if p.name != "member"]).tables:
        statement = f"select {payload(table)} from {quoted(table.name)} t order by 1"
        rows = engine.connection.execute(statement.encode()).fetchall()
        found[table.name] = [row[0] for row in rows]
    return found
