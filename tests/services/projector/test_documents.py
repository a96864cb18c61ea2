"""Does a sale count once, in whatever order its sendings come, and whoever is first?"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from infra.backend import Endpoints
from schemas.generated.events import PurchaseCompleted
from schemas.wire import codec
from tests.projections.driving import OWNER, Engine, Log, Record
from tests.services.projector.facts import meta, sale

pytestmark = pytest.mark.servers
TOPIC = "commerce.purchases"
UNITS = {1: 1, 2: 3, 3: 2, 4: 5}  # by sale
ROWS = """
select (select -sum(on_hand) from stock_cell), (select count(*) from sale),
    (select sum((told.value->>6)::int) from sale, json_each(documents::json) told),
    (select count(*) from ledger),
    (select count(*) from duplicate_document d join ledger l on l.event_id = d.duplicate_of)
"""


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


def sendings(chance: random.Random) -> list[PurchaseCompleted]:
    """Each sale up to three times: under other ids, from other channels, with and without the
    card, its lines in another order.
    """
    sent = []
    for number, units in UNITS.items():
        for again in range(chance.randint(1, 3)):
            line = sale(number, units=units).lines[0]
            lines = [line, replace(line, line_no=2, sku="cup", quantity=units)]
            event = replace(
                sale(10 * number + again, transaction=number), total=200 * units,
                lines=lines if chance.random() < 0.5 else lines[::-1],
                profile_id=chance.choice((None, UUID(int=77).bytes, UUID(int=78).bytes)),
            )  # fmt: skip
            sent.append(event)
    return sent


def tell(engine: Engine, chance: random.Random, sent: list[PurchaseCompleted]) -> int:
    """Tells all in a drawn order, some of them again, keyed as now or as before; how many."""
    log, many = Log(), 0
    for event in chance.sample(sent, len(sent)) + chance.sample(sent, 3):
        former = event.profile_id or event.transaction_id
        key = former if chance.random() < 0.3 else event.transaction_id
        log.raw(TOPIC, key, codec.encode(event))
        many += 1
        if chance.random() < 0.3:
            engine.apply(log.batch())
            if chance.random() < 0.3:
                engine.writer.recent.clear()
    engine.apply(log.batch())
    return many


def one_answer(engine: Engine, seeds: range) -> None:
    wrong = {}
    for seed in seeds:
        chance = random.Random(seed)
        engine.reset()
        sent = sendings(chance)
        many = tell(engine, chance, sent)
        (found,) = engine.connection.execute(ROWS.encode()).fetchall()
        units, counts = sum(UNITS.values()), engine.counts()
        expected = (2 * units, len(UNITS), 200 * units, len(UNITS), len(sent) - len(UNITS))
        if found != expected or counts["duplicate"] != many - len(UNITS):
            wrong[seed] = found, expected, counts
    assert wrong == {}


def test_a_sale_counts_once_in_every_order_of_its_sendings(engine: Engine) -> None:
    one_answer(engine, range(40))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_sale_counts_once_in_every_order_of_its_sendings_at_length(engine: Engine) -> None:
    one_answer(engine, range(1_000, 1_200))


def test_of_two_partitions_that_tell_a_sale_at_once_one_applies_it(engine: Engine) -> None:
    engine.reset()
    writers = [engine.writer, engine.another(OWNER)]
    for number in range(12):
        works = []
        for partition, writer in enumerate(writers):
            event = sale(2 * number + partition, transaction=number)
            record = Record(TOPIC, partition, number, event.transaction_id, codec.encode(event))
            works.append((writer, engine.work({(TOPIC, partition): [record]}, writer)))
        ready = threading.Barrier(2)

        def apply(writer: Any, work: Any, ready: threading.Barrier = ready) -> None:
            ready.wait()
            list(writer.apply(work))

        threads = [threading.Thread(target=apply, args=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    counts = engine.counts()
    assert (counts["applied"], counts["duplicate"], counts["next_offset"]) == (12, 12, 24)


def test_an_id_that_told_a_document_again_is_no_news_for_another_event(engine: Engine) -> None:
    engine.reset()
    log = Log()
    for event in (sale(1), sale(2, transaction=1)):
        log.append(event)
    engine.apply(log.batch())
    engine.writer.recent.clear()
    other = replace(sale(9), meta=meta(2))
    log.append(other)
    log.append(sale(2, transaction=1))
    engine.apply(log.batch())
    counts = engine.counts()
    assert (counts["applied"], counts["duplicate"], counts["conflict"]) == (1, 2, 1)
    ((error,),) = engine.connection.execute("select error_class from dead_letter").fetchall()
    assert error == "SameIdOtherBody"


def test_a_known_id_that_contradicts_a_document_is_a_conflict_of_the_id(engine: Engine) -> None:
    engine.reset()
    log = Log()
    for event in (sale(1, transaction=1), sale(2, transaction=2)):
        log.append(event)
    engine.apply(log.batch())
    engine.writer.recent.clear()
    log.append(sale(1, transaction=1))  # the memory knows the document again, not the id 2
    engine.apply(log.batch())
    log.append(sale(2, transaction=1, units=2))
    engine.apply(log.batch())
    ((error,),) = engine.connection.execute("select error_class from dead_letter").fetchall()
    assert error == "SameIdOtherBody"


@pytest.mark.parametrize("field", ["currency", "receipt number"])
def test_a_text_with_a_nul_that_is_only_among_the_documents_is_refused_as_in_a_column(
    engine: Engine, field: str
) -> None:
    engine.reset()
    number = 900 if field == "currency" else 910
    before, log = engine.counts(), Log()
    good, spoilt = sale(number), sale(number + 1)
    wrong: Any = replace(spoilt, **{field.replace(" ", "_"): "JP\0"})
    log.append(wrong)
    log.append(good)
    engine.apply(log.batch())
    after = engine.counts()
    assert after["dead_letter"] - before["dead_letter"] == 1
    stored = "select count(*) from sale where documents like '%%\\\\u0000%%'"
    assert engine.connection.execute(stored.encode()).fetchone() == (0,)
    letter = "select stage from hitotsu.dead_letter where event_id = %s"
    event_id = UUID(bytes=wrong.meta.event_id)
    assert engine.connection.execute(letter, [event_id]).fetchall() == [("store",)]
    known = "select count(*) from sale where transaction_id = %s"
    assert engine.connection.execute(known, [UUID(bytes=good.transaction_id)]).fetchone() == (1,)
