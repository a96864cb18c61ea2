"""Does a follower take every applied event once, and nothing that the group put aside?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from confluent_kafka import Producer as KafkaProducer
from psycopg import AsyncConnection

from infra import topics
from infra.backend import Endpoints
from projections.core.fold import Group
from schemas.generated.events import Event, PointsExpired, PurchaseCompleted, StockReceived
from schemas.generated.events.parts import Meta, Producer
from schemas.wire import codec
from services.following.applied_log import AppliedEvent, AppliedLog
from services.following.follower import CursorTable, Follower
from services.points.background.sales_feed import sales_feed
from services.projector.database import prepare
from services.runtime.db import Connection, conninfo
from tests.stacks import empty_servers

pytestmark = [pytest.mark.servers, pytest.mark.timeout(60)]
STOCK, POINTS, SALES = "commerce.inventory", "commerce.points", "commerce.purchases"
LEDGER = """
insert into main.ledger (event_id, hash, schema_id, topic, partition, "offset")
select %s, 0, 0, no, 0, %s from hitotsu.topic where name = %s
"""
CHECKPOINT = """
insert into hitotsu.checkpoint as c (grp, topic, partition, next_offset, applied)
values ('main', %s, 0, %s, %s)
on conflict (grp, topic, partition) do update
    set next_offset = excluded.next_offset, applied = excluded.applied
"""
SALE_TABLE = "create table main.sale (transaction_id uuid, order_id uuid, occurred_at bigint)"
CURSORS = "truncate hitotsu.points_cursor, hitotsu.match_rules_cursor"


class Log:
    """Records in partition 0 of two topics; the ledger and the checkpoints are written by hand."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self.kafka = KafkaProducer({"bootstrap.servers": endpoints.kafka, "linger.ms": 0})
        self.postgres = psycopg.connect(endpoints.postgres, autocommit=True)
        self.ends = dict.fromkeys((STOCK, POINTS, SALES), 0)

    def append(self, topic: str, applied: bool = True, value: bytes | None = None) -> UUID:
        """A record; not applied is what the group put aside."""
        event_id = uuid4()
        producer = Producer(system="test", channel="OTHER")
        meta = Meta(event_id=event_id.bytes, occurred_at=0, producer=producer)
        event: Event
        if topic == STOCK:
            event = StockReceived(meta=meta, sku="tea", location_id="W1", quantity=1)
        elif topic == POINTS:
            event = PointsExpired(
                meta=meta, profile_id=bytes(16), lot_id=bytes(16), points=1, expired_on=0
            )
        else:
            event = PurchaseCompleted(
                meta=meta, transaction_id=event_id.bytes, profile_id=None, location_id="S1",
                currency="JPY", total=0, lines=[], tenders=[],
            )  # fmt: skip
        self.kafka.produce(topic, value or codec.encode(event), b"tea", partition=0)
        assert self.kafka.flush(10) == 0
        if applied:
            self.postgres.execute(LEDGER, [event_id, self.ends[topic], topic])
        self.ends[topic] += 1
        return event_id

    def checkpoint(self, topic: str, end: int | None = None) -> None:
        """The group has read so many records; all, when none is named."""
        end = self.ends[topic] if end is None else end
        self.postgres.execute(CHECKPOINT, [topic, end, end])


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    with empty_servers() as stack:
        topics.create(stack.endpoints().kafka)
        prepare(stack.endpoints().postgres, Group("main", []))
        own = Log(stack.endpoints())
        yield own
        own.postgres.close()
        del own.kafka


class Taken:
    """The ids that a follower handed over; `failing` lets one call raise."""

    def __init__(self) -> None:
        self.ids: list[UUID] = []
        self.failing = False

    async def take(self, connection: Connection, events: Sequence[AppliedEvent]) -> None:
        if self.failing:
            self.failing = False
            raise ValueError("failed on purpose")
        self.ids += [UUID(bytes=read.event.meta.event_id) for read in events]


@asynccontextmanager
async def following(log: Log, taken: Taken, cursor: CursorTable, *names: str) -> Any:
    """A follower of these topics and its connection."""
    source = AppliedLog(log.endpoints.kafka, "main", names, max_records=3)
    follower = Follower(source, cursor, taken.take)
    connection = await AsyncConnection.connect(conninfo(log.endpoints.postgres), autocommit=True)
    async with connection:
        try:
            yield follower, connection
        finally:
            await follower.close()


async def caught_up(follower: Follower, connection: Connection, taken: Taken, many: int) -> None:
    """Follows until so many events were handed over; Kafka may have none of them at first."""
    async with asyncio.timeout(10):
        while await follower.follow(connection) or len(taken.ids) < many:
            pass


async def test_what_was_applied_comes_once_and_what_was_put_aside_never(log: Log) -> None:
    log.postgres.execute(CURSORS)
    taken, cursor = Taken(), CursorTable("hitotsu.points_cursor")
    expected = {log.append(topic) for topic in (STOCK, POINTS) for _ in range(4)}
    log.append(STOCK, applied=False)
    log.append(POINTS, applied=False, value=b"no event")
    for topic in (STOCK, POINTS):
        log.checkpoint(topic)
    later = log.append(STOCK)  # in the log and not applied yet, as the checkpoint says
    async with following(log, taken, cursor, STOCK, POINTS) as (follower, connection):
        await caught_up(follower, connection, taken, len(expected))
        assert len(taken.ids) == len(expected)
        assert set(taken.ids) == expected
        log.checkpoint(STOCK)
        await caught_up(follower, connection, taken, len(expected) + 1)
        assert taken.ids[-1] == later
    again = Taken()
    async with following(log, again, cursor, STOCK, POINTS) as (follower, connection):
        assert not await follower.follow(connection), "another process begins at the stored cursor"


async def test_what_fails_comes_again(log: Log) -> None:
    log.postgres.execute(CURSORS)
    taken, cursor = Taken(), CursorTable("hitotsu.match_rules_cursor", only_topic=POINTS)
    async with following(log, taken, cursor, POINTS) as (follower, connection):
        log.postgres.execute("truncate main.ledger")  # of the test before
        new = log.append(POINTS)
        log.checkpoint(POINTS)
        taken.failing = True
        with pytest.raises(ValueError, match="on purpose"):
            await caught_up(follower, connection, taken, 1)
        await caught_up(follower, connection, taken, 1)
        assert taken.ids == [new]
        row = await connection.execute("select next_offset from hitotsu.match_rules_cursor")
        assert await row.fetchall() == [(log.ends[POINTS],)]


async def test_a_sale_that_was_put_aside_is_not_judged(log: Log) -> None:
    log.postgres.execute(CURSORS)
    log.postgres.execute(SALE_TABLE)
    sale = log.append(SALES)
    log.append(SALES, applied=False)
    last = log.append(SALES)
    log.checkpoint(SALES)
    follower = sales_feed(log.endpoints.kafka, "main")
    async with await AsyncConnection.connect(
        conninfo(log.endpoints.postgres), autocommit=True
    ) as connection:
        async with asyncio.timeout(10):
            while (rows := await due(connection)) < {sale, last}:
                await follower.follow(connection)
        await follower.close()
    assert rows == {sale, last}


async def due(connection: Connection) -> set[UUID]:
    """Transactions of the sales to be judged."""
    cursor = await connection.execute("select transaction_id from hitotsu.points_due")
    return {row[0] for row in await cursor.fetchall()}
