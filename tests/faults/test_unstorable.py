"""What the log calls unstorable is refused by Postgres, and judged in offset order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache

import pytest

from infra.backend import Endpoints
from tests.faults import unstorable
from tests.faults.disorder import Append, Log, Shares, log
from tests.faults.expected.goods import OF_SALES
from tests.faults.reading import Judged, Read, judge_reads
from tests.faults.verdict import in_offset_order
from tests.faults.wire import Record, Wire
from tests.projections.driving import Engine
from tests.projections.driving import Log as Partitions

PLACE = ("commerce.inventory", 0)
AT = 1_750_000_000_000_000


@cache
def drawn() -> Log:
    return log(5, 6_000, shares=Shares(unstorable=0.02))


@cache
def events() -> dict[str, tuple[Append, Record]]:
    """One good event of each kind into which such a text can be put."""
    wire, by_name = Wire(), dict[str, tuple[Append, Record]]()
    for append in drawn().appends:
        if append.kind == "events":
            name, record = wire.decode(append.value)
            if unstorable.applicable(name, record):
                by_name.setdefault(name, (append, record))
    return by_name


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


def test_every_kind_is_drawn_and_sent_before_and_after_a_good_one() -> None:
    assert events().keys() == unstorable.KEPT.keys()
    assert {f"unstorable: {kind}" for kind in unstorable.TEXTS} <= drawn().sent.keys()
    judged = judge_reads(reads(drawn()))
    stages = [stage for stage, _, _ in judged.dead.values()]
    assert stages.count("store") == drawn().unstorable().total() > 50
    assert stages.count("conflict") == drawn().sent["other bodies"] > 20
    assert len(judged.applied) == drawn().sent["events"]
    assert not judged.unordered


@pytest.mark.servers
@pytest.mark.parametrize(("name", "kind"), unstorable.PAIRS)
def test_postgres_refuses_what_is_called_unstorable(engine: Engine, name: str, kind: str) -> None:
    append, record = events()[name]
    bad = unstorable.spoilt(name, record, kind, random.Random(1))
    assert unstorable.refused(name, bad) and not unstorable.refused(name, record)
    engine.reset()
    partitions = Partitions()
    partitions.raw(append.topic, append.key, Wire().encode(name, bad))
    partitions.raw(append.topic, append.key, append.value)
    engine.apply(partitions.batch())
    letters = engine.connection.execute('select "offset", stage from dead_letter').fetchall()
    assert letters == [(0, "store")]
    assert engine.counts()["applied"] == 1


@pytest.mark.servers
def test_a_drawn_log_gets_the_verdicts_of_its_offset_order(engine: Engine) -> None:
    engine.reset()
    partitions, sent = Partitions(), log(6, 1_200, shares=Shares(unstorable=0.02))
    in_order: dict[tuple[str, int], list[Read]] = {}
    for number, append in enumerate(sent.appends, 1):
        record = partitions.raw(append.topic, append.key, append.value)
        place = (record.topic, record.partition)
        read = Read(*place, record.offset, append.key, append.value)
        in_order.setdefault(place, []).append(read)
        if number % 300 == 0 or number == len(sent.appends):
            engine.apply(partitions.batch())
    judged = judge_reads(read for partition in in_order.values() for read in partition)
    letters = engine.connection.execute('select topic, partition, "offset", stage from dead_letter')
    stages = {(topic, partition, offset): stage for topic, partition, offset, stage in letters}
    assert stages == {where: stage for where, (stage, _, _) in judged.dead.items()}
    ledger = engine.connection.execute(
        'select event_id, topic.name, partition, "offset" from ledger'
        " join hitotsu.topic on topic.no = ledger.topic"
    )
    assert {(row[0].bytes, *row[1:]) for row in ledger} == {
        (record["meta"]["event_id"], read.topic, read.partition, read.offset)
        for read, _, record in judged.applied
    }
    # a refused event is nowhere: neither as a document of its sale nor in another's text
    held = engine.connection.execute("select transaction_id, documents::text from sale").fetchall()
    documents = {(row[0].bytes, name) for row in held for name in json.loads(row[1])}
    assert documents == {
        (record["transaction_id"], record["meta"]["event_id"].hex())
        for _, name, record in judged.applied
        if name in OF_SALES
    }
    assert [row[1] for row in held if r"\u0000" in row[1]] == []


def reads(sent: Log) -> list[Read]:
    """All of it, as if each topic had one partition."""
    topics = sorted({append.topic for append in sent.appends})
    return [
        Read(topic, 0, offset, append.key, append.value)
        for topic in topics
        for offset, append in enumerate(
            sent_in for sent_in in sent.appends if sent_in.topic == topic
        )
    ]


def received(number: int, location: str, quantity: int = 1) -> bytes:
    producer = {"system": "pos", "channel": "STORE"}
    meta = {"event_id": number.to_bytes(16, "big"), "occurred_at": AT, "producer": producer}
    record = {"meta": meta, "sku": "tea", "location_id": location, "quantity": quantity}
    return Wire().encode("StockReceived", record)


def judged_of(*values: bytes) -> Judged:
    return judge_reads(Read(*PLACE, offset, b"tea", value) for offset, value in enumerate(values))


def test_the_first_record_that_can_be_stored_wins() -> None:
    good, other, bad = received(1, "a"), received(1, "a", 2), received(1, "a" * 2_701)
    assert judged_of(bad, good, bad, other, good).verdicts[PLACE] == [
        "dead_letter", "applied", "conflict", "conflict", "duplicate",
    ]  # fmt: skip


def test_a_verdict_that_is_exchanged_missing_or_surplus_is_a_difference() -> None:
    judged = judged_of(received(1, "a"), received(1, "a", 2))
    for wrong in (["conflict", "applied"], ["applied", "duplicate"], ["applied"], []):
        assert in_offset_order(judged, {PLACE: wrong}).differences >= 1
    surplus = {PLACE: judged.verdicts[PLACE], ("commerce.points", 0): ["applied"]}
    assert in_offset_order(judged, surplus).differences == 1
    right = in_offset_order(judged, {PLACE: judged.verdicts[PLACE]})
    assert (right.compared, right.differences) == (2, 0)


def test_ids_that_meet_in_two_partitions_are_left_out() -> None:
    value = received(1, "a")
    judged = judge_reads([Read(*PLACE, 0, b"tea", value), Read(PLACE[0], 1, 0, b"tea", value)])
    swapped = {PLACE: ["duplicate"], (PLACE[0], 1): ["applied"]}
    assert judged.unordered
    assert in_offset_order(judged, swapped).differences == 0
