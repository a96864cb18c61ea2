"""Is every record judged as a plain model says, whatever Postgres refuses and however it is cut?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from infra.backend import Endpoints
from projections import discover
from projections.core.fold import Group
from schemas.generated.events import Identifier, ProfileRegistered, StockReceived
from schemas.wire import codec
from services.projector.batch import Slice, Verdict, decoded
from services.rebuild.fold import CannotRebuild
from services.rebuild.group_shadow import ChoiceVoid, GroupShadow
from services.rebuild.refold import Refolding
from services.rebuild.verdicts import VerdictJudge
from services.runtime.record_at import RecordReader
from tests.projections.driving import Engine, Record
from tests.services.projector.facts import T0, meta, received

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
TOPIC = "commerce.inventory"
PARTITIONS, ROUNDS, RECORDS, IDS = 3, 6, 70, 18
Stored = dict[int, list[Record]]


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


class RecordsAt(RecordReader):
    """Without Kafka: values by topic, partition and offset."""

    def __init__(self, values: dict[tuple[str, int, int], bytes]) -> None:
        super().__init__("127.0.0.1:1")
        self._values = values

    def value(self, topic: str, partition: int, offset: int) -> bytes | None:
        return self._values.get((topic, partition, offset))


class Refold(Refolding):
    """Without Kafka: what is stored of given records, in batches of given sizes."""

    def __init__(
        self, engine: Engine, shadow: GroupShadow, values: dict[tuple[str, int, int], bytes]
    ) -> None:
        self._shadow, self._placed = shadow, RecordsAt(values)
        topics = engine.writer.applier.topics
        self._judge = VerdictJudge(engine.dsn, shadow.live, shadow.group, topics, self._placed)
        self.transactions = 0

    def close(self) -> None:
        self._judge.close()

    def run(self, batches: list[list[Slice]]) -> None:
        for slices in batches:
            self.store(slices)
        self._shadow.resolve_deferred(self._placed)


def drawn(chance: random.Random) -> Stored:
    """Records of few ids: good ones of two bodies, some that Postgres cannot hold, some broken."""
    stored: Stored = {number: [] for number in range(PARTITIONS)}
    for _ in range(RECORDS):
        partition = chance.randrange(PARTITIONS)
        # most ids stay in one partition; every fourth meets in all of them
        number = chance.randrange(IDS)
        if number % 4:
            partition = number % PARTITIONS
        text = chance.choice(["a", "a", "b", "\0"])
        event = StockReceived(
            meta=meta(number), sku=f"{partition}{text}", location_id="GINZA", quantity=1
        )
        value, key = codec.encode(event), codec.key_of(event)
        if chance.random() < 0.06:
            value = value[:-2]
        here = stored[partition]
        here.append(Record(TOPIC, partition, len(here), key, value))
    return stored


def model(stored: Stored, chosen: dict[bytes, int]) -> dict[tuple[int, int], Verdict]:
    """The first that can be applied is; ids of `chosen` in that partition alone."""
    right: dict[tuple[int, int], Verdict] = {}
    applied: dict[bytes, Any] = {}
    for later in (False, True):
        for partition, records in stored.items():
            for entry in decoded(records, TOPIC):
                at = (partition, entry.record.offset)
                if entry.event_id is None:
                    right[at] = Verdict.DEAD
                    continue
                if later is (chosen[entry.event_id] == partition):
                    continue
                if entry.event_id in applied:
                    same = applied[entry.event_id] == entry.hash
                    right[at] = Verdict.DUPLICATE if same else Verdict.CONFLICT
                elif "\0" in entry.read().sku:
                    right[at] = Verdict.DEAD
                elif later:
                    raise AssertionError("nothing was chosen for this id")
                else:
                    right[at], applied[entry.event_id] = Verdict.APPLIED, entry.hash
    return right


def choices(chance: random.Random, stored: Stored) -> dict[bytes, tuple[int, int]]:
    """A live ledger: by id, the place of some record of it that can be stored."""
    places: dict[bytes, list[tuple[int, int]]] = {}
    for partition, records in stored.items():
        for entry in decoded(records, TOPIC):
            if entry.event_id is not None and "\0" not in entry.read().sku:
                places.setdefault(entry.event_id, []).append((partition, entry.record.offset))
    return {event_id: chance.choice(several) for event_id, several in places.items()}


def cut(chance: random.Random, stored: Stored) -> list[list[Slice]]:
    """Batches of slices, each partition in its order."""
    left = {partition: 0 for partition, records in stored.items() if records}
    batches: list[list[Slice]] = []
    while left:
        batch: list[Slice] = []
        for partition in chance.sample(sorted(left), chance.randint(1, len(left))):
            first, records = left[partition], stored[partition]
            end = min(len(records), first + chance.randint(1, 30))
            batch.append(Slice(TOPIC, partition, first, decoded(records[first:end], TOPIC)))
            left[partition] = end
            if end == len(records):
                del left[partition]
        batches.append(batch)
    return batches


def refolded(engine: Engine, stored: Stored, chance: random.Random) -> GroupShadow:
    """The shadow, folded; once more where the live ledger named what cannot be."""
    shadow = GroupShadow(engine.dsn, "main", Group("main_rebuild", discover()))
    shadow.open(fresh=True)
    while True:
        refold = Refold(engine, shadow, {})
        try:
            refold.run(cut(chance, stored))
            return shadow
        except ChoiceVoid:
            shadow.begin_anew()
        finally:
            refold.close()


def verdicts(shadow: GroupShadow, stored: Stored) -> dict[tuple[int, int], Verdict]:
    """As the shadow's own shadow have them."""
    held = {
        (partition, offset): Verdict.DUPLICATE
        for partition, records in stored.items()
        for offset in range(len(records))
    }
    execute = shadow.connection.execute
    for partition, offset, stage in execute('select partition, "offset", stage from letter'):
        held[partition, offset] = Verdict.CONFLICT if stage == "conflict" else Verdict.DEAD
    for partition, offset in execute('select partition, "offset" from ledger').fetchall():
        held[partition, offset] = Verdict.APPLIED
    return held


def put(engine: Engine, ledger: dict[bytes, tuple[int, int]]) -> None:
    """A live ledger by hand; only its places matter."""
    engine.reset()
    number = engine.writer.applier.topics[TOPIC]
    with engine.connection.cursor() as cursor:
        cursor.executemany(
            "insert into ledger values (%s, 0, 0, %s, %s, %s)",
            [(UUID(bytes=event_id), number, *place) for event_id, place in ledger.items()],
        )


def test_verdicts_of_drawn_records_are_those_of_a_plain_model(engine: Engine) -> None:
    seed = random.randrange(1 << 32)
    met: set[Verdict] = set()
    for round_ in range(ROUNDS):
        chance = random.Random(f"{seed}-{round_}")
        stored = drawn(chance)
        ledger = choices(chance, stored)
        # an id of which nothing can be stored was applied nowhere
        chosen = {event_id: place[0] for event_id, place in ledger.items()}
        put(engine, ledger)
        shadow = refolded(engine, stored, chance)
        try:
            judged_as, right = verdicts(shadow, stored), model(stored, _Chosen(chosen))
            wrong = {
                at: (right.get(at), judged_as[at])
                for at in judged_as
                if right.get(at) != judged_as[at]
            }
            assert wrong == {}, f"seed {seed}, round {round_}"
            met |= set(judged_as.values())
            rows = shadow.connection.execute("select * from progress").fetchall()
            assert all(sum(row[3:]) == row[2] for row in rows)
            assert shadow.connection.execute("select count(*) from deferred").fetchone() == (0,)
        finally:
            shadow.drop()
            shadow.close()
    assert met == set(Verdict)


class _Chosen(dict[bytes, int]):
    """Ids that were applied nowhere are judged in the first partition; none of them is applied."""

    def __missing__(self, event_id: bytes) -> int:
        return 0


def test_what_postgres_cannot_hold_is_found_by_halving(engine: Engine) -> None:
    put(engine, {})
    many, bad = 1_024, {100, 700, 701}
    records = [_record(number, "\0" if number in bad else "a") for number in range(many)]
    shadow = GroupShadow(engine.dsn, "main", Group("main_rebuild", discover()))
    shadow.open(fresh=True)
    refold = Refold(engine, shadow, {})
    tried = 0
    enter = shadow.store_judged

    def counted(judged: Any) -> None:
        nonlocal tried
        tried += 1
        enter(judged)

    shadow.store_judged = counted  # type: ignore[method-assign]
    try:
        refold.run([[Slice(TOPIC, 0, 0, decoded(records, TOPIC))]])
        letters = shadow.connection.execute('select "offset", stage from letter').fetchall()
        assert sorted(letters) == [(number, "store") for number in sorted(bad)]
        assert tried <= 1 + len(bad) * (2 * 10 + 2)
    finally:
        refold.close()
        shadow.drop()
        shadow.close()


def test_a_choice_of_what_is_not_there_is_let_go(engine: Engine) -> None:
    there = replace(_record(2, "a"), partition=1, offset=0)
    records = {0: [_record(0, "a"), _record(1, "a")], 1: [there]}
    put(engine, {meta(1).event_id: (1, 0)})
    shadow = refolded(engine, records, random.Random(1))
    try:
        assert set(verdicts(shadow, records).values()) == {Verdict.APPLIED}
        freed = shadow.connection.execute("select event_id from void_choice").fetchall()
        assert [row[0].bytes for row in freed] == [meta(1).event_id]
    finally:
        shadow.drop()
        shadow.close()


def _record(number: int, text: str) -> Record:
    event = StockReceived(meta=meta(number), sku=text, location_id="GINZA", quantity=1)
    return Record(TOPIC, 0, number, codec.key_of(event), codec.encode(event))


def test_what_a_handler_or_an_evolution_refuses_is_put_aside_and_its_copy_may_come_in(
    engine: Engine,
) -> None:
    put(engine, {})

    def refuse(event: Any) -> list[Any]:
        if event.quantity == 13:
            raise ValueError("thirteen")
        return []

    group = Group("main_rebuild", discover())
    group.handlers[StockReceived] = [*group.handlers[StockReceived], ("unlucky", refuse)]
    ((table, kind),) = [pair for pair in group.evolve if pair[1] is ProfileRegistered]
    evolve = group.evolve[table, kind]

    def evolve_some(state: Any, event: Any) -> Any:
        if event.source_system == "thirteen":
            raise KeyError("thirteen")
        return evolve(state, event)

    group.evolve[table, kind] = evolve_some
    stock = [received(13, 13), received(1, 1), received(13, 2), received(13, 2)]
    profiles = [_registered(14, "thirteen"), _registered(2, "pos"), _registered(14, "pos")]
    parts = [
        Slice(topic, 0, 0, decoded(_records(topic, events), topic))
        for topic, events in ((TOPIC, stock), (ProfileRegistered.TOPIC, profiles))
    ]
    shadow = GroupShadow(engine.dsn, "main", group)
    shadow.open(fresh=True)
    refold = Refold(engine, shadow, {})
    try:
        refold.run([parts])
        execute = shadow.connection.execute
        letters = execute('select topic, "offset", stage, error_class from letter').fetchall()
        assert set(letters) == {
            (ProfileRegistered.TOPIC, 0, "apply", "KeyError"),
            (TOPIC, 0, "apply", "ValueError"),
        }
        places = execute('select partition, "offset" from ledger order by 2').fetchall()
        assert len(places) == 4
        assert execute("select sum(duplicate) from progress").fetchone() == (1,)
    finally:
        refold.close()
        shadow.drop()
        shadow.close()


def test_what_the_gateway_fills_in_makes_no_conflict(engine: Engine) -> None:
    topic = ProfileRegistered.TOPIC
    told = [
        _registered(3, "pos", verified=True),
        _registered(3, "pos", verified=False),
        _registered(3, "ec", verified=False),
    ]
    records = [_records(topic, told), _records(topic, [told[1], told[2]])]
    values = {(topic, 0, offset): record.value for offset, record in enumerate(records[0])}
    put(engine, {})
    engine.connection.execute(
        "insert into ledger values (%s, 0, 0, %s, 0, 0)",
        [UUID(bytes=meta(3).event_id), engine.writer.applier.topics[topic]],
    )
    here, elsewhere = (
        Slice(topic, partition, 0, decoded(records[partition], topic)) for partition in (0, 1)
    )
    first, again, other = (Slice(topic, 0, at, here.entries[at : at + 1]) for at in range(3))
    for batches in ([[elsewhere, here]], [[first], [again, other, elsewhere]]):
        shadow = GroupShadow(engine.dsn, "main", Group("main_rebuild", discover()))
        shadow.open(fresh=True)
        refold = Refold(engine, shadow, values)
        try:
            refold.run(batches)
            counts = "select sum(applied), sum(duplicate), sum(conflict) from progress"
            assert shadow.connection.execute(counts).fetchone() == (1, 2, 2)
        finally:
            refold.close()
            shadow.drop()
            shadow.close()


def test_a_partition_that_was_added_meanwhile_is_refused(engine: Engine) -> None:
    shadow = GroupShadow(engine.dsn, "main", Group("main_rebuild", discover()))
    shadow.open(fresh=True)
    refold = Refold(engine, shadow, {})
    refold._log = SimpleNamespace(positions={(TOPIC, 0): 0})  # type: ignore[assignment]
    try:
        with pytest.raises(
            CannotRebuild, match=r"commerce\.inventory-9 became a partition during the rebuild"
        ):
            refold.fold({(TOPIC, 0): 0, (TOPIC, 9): 3}, lambda many: None)
    finally:
        refold.close()
        shadow.drop()
        shadow.close()


def _registered(number: int, source: str, verified: bool | None = None) -> ProfileRegistered:
    named = (
        []
        if verified is None
        else [Identifier(kind="card", value=b"sealed", value_index=bytes(16), verified=verified)]
    )
    return ProfileRegistered(
        meta=meta(number),
        profile_id=UUID(int=number).bytes,
        source_system=source,
        registered_at=T0,
        identifiers=named,
    )


def _records(topic: str, events: list[Any]) -> list[Record]:
    return [
        Record(topic, 0, offset, codec.key_of(event), codec.encode(event))
        for offset, event in enumerate(events)
    ]
