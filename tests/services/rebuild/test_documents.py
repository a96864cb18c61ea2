"""Does a group that is judged anew say of documents what the live group said?"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from infra.backend import Endpoints
from projections import discover
from projections.core.fold import Group
from schemas.wire import codec
from services.projector.batch import Slice, decoded
from services.rebuild.group_shadow import ChoiceVoid, GroupShadow
from tests.projections.driving import Engine, Record
from tests.services.projector.facts import sale
from tests.services.rebuild.test_verdicts import Refold

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
TOPIC, PARTITIONS, RECORDS, ROUNDS = "commerce.purchases", 3, 60, 4
Stored = dict[int, list[Record]]
ENGINE = {
    "ledger": 'event_id, hash, schema_id, partition, "offset", document, content',
    "duplicate_document": 'event_id, hash, schema_id, partition, "offset", duplicate_of, subject',
}


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


def drawn(chance: random.Random) -> Stored:
    """Sales of few ids and documents: some in all partitions, some that Postgres cannot hold."""
    stored: Stored = {number: [] for number in range(PARTITIONS)}
    for _ in range(RECORDS):
        document = chance.randrange(12)
        # a third of the documents meet in every partition, as the former key let them
        at = document % PARTITIONS if document % 3 else chance.randrange(PARTITIONS)
        number = PARTITIONS * chance.randrange(8) + at  # ids stay in one partition
        event = replace(
            sale(number, units=chance.choice((1, 1, 1, 2)), transaction=document),
            location_id=chance.choice(("GINZA", "GINZA", "UMEDA", "\0")),
        )
        here = stored[at]
        here.append(Record(TOPIC, at, len(here), codec.key_of(event), codec.encode(event)))
    return stored


def cut(chance: random.Random, stored: Stored) -> Iterator[dict[int, list[Record]]]:
    """Batches, each partition in its order."""
    left = {partition: list(records) for partition, records in stored.items()}
    while any(left.values()):
        batch = {}
        for partition in chance.sample(sorted(left), chance.randint(1, PARTITIONS)):
            many = chance.randint(1, 12)
            if taken := left[partition][:many]:
                batch[partition], left[partition] = taken, left[partition][many:]
        if batch:
            yield batch


def rejudged(engine: Engine, stored: Stored, chance: random.Random) -> GroupShadow:
    shadow = GroupShadow(engine.dsn, "main", Group("main_rebuild", discover()))
    shadow.open(fresh=True)
    while True:
        refold = Refold(engine, shadow, {})
        try:
            refold.run([
                [
                    Slice(TOPIC, partition, records[0].offset, decoded(records, TOPIC))
                    for partition, records in batch.items()
                ]
                for batch in cut(chance, stored)
            ])  # fmt: skip
            return shadow
        except ChoiceVoid:
            shadow.begin_anew()
        finally:
            refold.close()


def rows(connection: Any, schema: str, table: str) -> list[Any]:
    statement = f"select {ENGINE[table]} from {schema}.{table} order by event_id"
    found: list[Any] = connection.execute(statement).fetchall()
    return found


def counts(connection: Any, table: str, condition: str) -> list[Any]:
    found: list[Any] = connection.execute(
        "select partition, next_offset, applied, duplicate, conflict, dead_letter"
        f" from {table} where {condition} order by partition"
    ).fetchall()
    return found


def test_a_group_judged_anew_says_of_documents_what_the_live_group_said(engine: Engine) -> None:
    seed, met = random.randrange(1 << 32), Counter[str]()
    for round_ in range(ROUNDS):
        chance, case = random.Random(f"{seed}-{round_}"), f"seed {seed}, round {round_}"
        stored = drawn(chance)
        engine.reset()
        for batch in cut(chance, stored):
            if chance.random() < 0.3:
                engine.writer.recent.clear()
            engine.apply({(TOPIC, partition): records for partition, records in batch.items()})
        shadow = rejudged(engine, stored, chance)
        try:
            execute = engine.connection.execute
            for table in ENGINE:
                live, anew = rows(engine.connection, "main", table), rows(
                    shadow.connection, shadow.name, table
                )  # fmt: skip
                assert anew == live, f"{case}: {table}"
                met[table] += len(live)
            told = counts(engine.connection, "checkpoint", f"topic = '{TOPIC}' and partition < 3")
            assert counts(shadow.connection, f"{shadow.name}.progress", "true") == told, case
            letters = 'select partition, "offset", stage, error_class from {} order by 1, 2'
            live_letters = execute(letters.format("dead_letter").encode()).fetchall()
            assert (
                shadow.connection.execute(letters.format("letter").encode()).fetchall()
                == live_letters
            ), case
            met.update(row[3] for row in live_letters)
        finally:
            shadow.drop()
            shadow.close()
    assert met.keys() >= {*ENGINE, "SameIdOtherBody", "SameDocumentOtherContent"}


def test_old_sales_that_told_a_document_twice_are_told_apart_when_judged_anew(
    engine: Engine,
) -> None:
    engine.reset()
    sales = [sale(1, transaction=7), sale(2, transaction=7), sale(3, units=2, transaction=7)]
    records = [
        Record(TOPIC, 0, offset, codec.key_of(one), codec.encode(one))
        for offset, one in enumerate(sales)
    ]
    number = engine.writer.applier.topics[TOPIC]
    for offset, one in enumerate(sales):
        engine.connection.execute(
            "insert into ledger values (%s, 0, 0, %s, 0, %s)",
            [UUID(bytes=one.meta.event_id), number, offset],
        )
    shadow = rejudged(engine, {0: records}, random.Random(1))
    try:
        assert counts(shadow.connection, f"{shadow.name}.progress", "true") == [(0, 3, 1, 1, 1, 0)]
    finally:
        shadow.drop()
        shadow.close()
