"""Does a ledger of an older release learn which documents it holds, before anything new comes?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest

from infra.backend import Endpoints
from schemas.wire import codec
from services.projector.database import prepare
from services.runtime.record_at import RecordReader
from tests.projections.driving import Engine, Log, Record
from tests.services.projector.facts import CUSTOMER, earned, meta, sale

pytestmark = pytest.mark.servers
# what an older release had not
BEFORE = """
drop index ledger_document;
alter table ledger drop column document, drop column content;
drop table duplicate_document
"""
# its purchases, of which each telling was a row
PURCHASES = """
drop table if exists purchase;
create table purchase as select told.key::uuid as event_id, transaction_id
from sale, json_each(documents::json) told where told.value->>0 = 'sale'
"""


class RecordsAt(RecordReader):
    """Without Kafka: the records of a log, and how many were read again."""

    def __init__(self, records: list[Record]) -> None:
        super().__init__("127.0.0.1:1")
        self._values = {(one.topic, one.partition, one.offset): one.value for one in records}
        self.read = 0

    def values(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, bytes | None]:
        return {offset: self.value(topic, partition, offset) for offset in offsets}

    def value(self, topic: str, partition: int, offset: int) -> bytes | None:
        self.read += 1
        return self._values.get((topic, partition, offset))


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


def documents(engine: Engine) -> dict[Any, Any]:
    return dict(engine.connection.execute("select event_id, document from ledger").fetchall())


def name(number: int) -> UUID:
    return UUID(bytes=meta(number).event_id)


def counted(engine: Engine) -> tuple[int, ...]:
    return tuple(engine.counts()[name] for name in ("applied", "duplicate", "conflict"))


def test_a_sale_of_an_older_release_that_is_sent_again_is_recognised(engine: Engine) -> None:
    log = Log()
    old = [log.append(sale(number, CUSTOMER, transaction=number)) for number in (1, 2, 3)]
    twice = [log.append(sale(number, transaction=number)) for number in (4, 5)]
    log.append(earned(6))
    engine.apply(log.batch())
    # the older release applied both tellings of a sale
    engine.connection.execute(PURCHASES.encode())
    engine.connection.execute(
        "update purchase set transaction_id = %s where event_id = %s",
        [UUID(bytes=sale(4).transaction_id), name(5)],
    )
    engine.connection.execute(BEFORE.encode())
    prepare(engine.dsn, engine.group)
    found = documents(engine)
    for number in (1, 2, 3):
        assert found[name(number)] == UUID(bytes=sale(number).transaction_id)
    first, second = sorted((one.partition, one.offset, at) for at, one in enumerate(twice, 4))
    assert found[name(first[2])] == UUID(bytes=sale(4).transaction_id)
    assert found[name(second[2])] is None
    assert found[name(6)] is None

    prepare(engine.dsn, engine.group)
    assert documents(engine) == found, "prepared again, it is changed"
    reader = RecordsAt(old[:2])
    engine.writer.placed = reader
    engine.writer.recent.clear()
    for one in (
        sale(11, transaction=1), sale(12, units=2, transaction=2), sale(13, transaction=2),
        sale(14, CUSTOMER, transaction=3), sale(11, transaction=1), sale(15, transaction=1),
    ):  # fmt: skip
        log.append(one)
    engine.apply(log.batch())
    # the first record of the third sale is gone: what it said cannot be compared
    assert counted(engine) == (6, 4, 2)
    assert reader.read == 3
    copies = dict(
        engine.connection.execute("select event_id, duplicate_of from duplicate_document")
    )
    assert copies == {name(11): name(1), name(13): name(2), name(15): name(1)}
    ((reason,),) = engine.connection.execute(
        "select reason from dead_letter where event_id = %s", [name(12)]
    ).fetchall()
    assert str(name(2)) in reason

    engine.writer.recent.clear()
    log.append(sale(16, transaction=1))
    engine.apply(log.batch())
    assert counted(engine) == (6, 5, 2)
    assert reader.read == 3, "what was read once is read again"


def test_many_old_sales_that_are_sent_again_are_read_in_parts(engine: Engine) -> None:
    engine.reset()
    log = Log()
    old = [log.append(sale(number, transaction=number)) for number in range(1, 501)]
    engine.apply(log.batch())
    engine.connection.execute(PURCHASES.encode())
    engine.connection.execute(BEFORE.encode())
    prepare(engine.dsn, engine.group)
    reader = RecordsAt(old)
    engine.writer.placed = reader
    engine.writer.recent.clear()
    for number in range(1, 501):
        units = 2 if number % 50 == 0 else 1
        log.append(sale(1_000 + number, units=units, transaction=number))
    parts = engine.apply(log.batch())
    assert counted(engine) == (500, 490, 10)
    assert len(parts) > 2
    assert reader.read == 500, "what was read once is read again"


def test_the_key_of_a_sale_can_be_told_by_sql_from_the_purchase(engine: Engine) -> None:
    engine.reset()
    one = codec.decode(codec.encode(sale(20)))
    engine.tell(one)
    engine.connection.execute(PURCHASES.encode())
    ((same,),) = engine.connection.execute(
        "select document = transaction_id from ledger join purchase using (event_id)"
        " where event_id = %s",
        [name(20)],
    ).fetchall()
    assert same


def test_a_table_of_copies_of_before_profiles_gets_them(engine: Engine) -> None:
    engine.reset()
    engine.connection.execute("alter table duplicate_document drop column subject")
    for _ in range(2):
        prepare(engine.dsn, engine.group)
    log = Log()
    for event in (sale(1, CUSTOMER, transaction=1), sale(2, transaction=1)):
        log.append(event)
    engine.apply(log.batch())
    log.append(sale(3, CUSTOMER, transaction=1))
    engine.apply(log.batch())
    copies = engine.connection.execute("select event_id, subject from duplicate_document")
    assert dict(copies.fetchall()) == {name(2): None, name(3): UUID(bytes=CUSTOMER)}
