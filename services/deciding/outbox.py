"""The transactional outbox: events are stored in a decision's transaction, then sent to Kafka.

Events are sent at least once. Those of one record key are sent in the order of their row ids, which
are assigned under the decision's locks. There is no cursor: a row that commits late with a lower id
is found at the next poll. A record that was sent twice is applied once, because its event id is the
same.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from schemas.generated.events import Event
from schemas.wire import codec
from services.following.background_task import BackgroundTask
from services.runtime.arrays import array, columns
from services.runtime.db import Connection
from services.runtime.metrics import OUTBOX_AGE, OUTBOX_ROWS, OUTBOX_SENT
from services.runtime.producer import KafkaRecord, Producer

AT_ONCE = 500
LOOK_SECONDS = 0.05
MEASURED_EVERY = 200  # rounds
GATHER_SECONDS = 0.1  # pause after a batch that was not full: a send costs as much as 100 events
ADD = """
insert into hitotsu.outbox (topic, record_key, record_value)
select topic, record_key, record_value
from unnest(%s::text[], %s::bytea[], %s::bytea[]) with ordinality
    as x(topic, record_key, record_value, n) order by n
"""
UNSENT = """
select id, topic, record_key, record_value from hitotsu.outbox
where sent_at is null order by id limit %s
"""
SENT = "update hitotsu.outbox set sent_at = clock_timestamp() where id = any(%s)"
WAITING = """
select count(*), coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)
from hitotsu.outbox where sent_at is null
"""


async def add(connection: Connection, events: Sequence[Event]) -> None:
    """Appends events to the outbox, in the caller's transaction."""
    if not events:
        return
    rows = [(event.TOPIC, codec.key_of(event), codec.encode(event)) for event in events]
    await connection.execute(ADD, columns(("text", "bytea", "bytea"), rows))


class OutboxRelay(BackgroundTask):
    """Sends the outbox's rows to Kafka by ascending id, in the process that is elected leader."""

    def __init__(self, dsn: str, producer: Producer) -> None:
        super().__init__(dsn, "outbox", LOOK_SECONDS)
        self._producer = producer
        self._wanted = asyncio.Event()
        self._rounds = 0

    def kick(self) -> None:
        """Wakes the relay: there may be rows to send."""
        self._wanted.set()

    async def turn(self, connection: Connection) -> None:
        try:
            await super().turn(connection)
        finally:  # not the leader any more: this process does not know the metrics
            OUTBOX_ROWS.set(math.nan)
            OUTBOX_AGE.set(math.nan)

    async def round(self, connection: Connection) -> bool:
        """Sends at most 500 rows; returns whether there were any."""
        if self._rounds % MEASURED_EVERY == 0:
            await self._measure(connection)
        self._rounds += 1
        rows = await (await connection.execute(UNSENT, [AT_ONCE], binary=True)).fetchall()
        if not rows:
            return False
        await self._producer.append([_record(row) for row in rows])
        await connection.execute(SENT, [array("bigint", [row[0] for row in rows])])
        OUTBOX_SENT.inc(len(rows))
        if len(rows) < AT_ONCE:
            await asyncio.sleep(GATHER_SECONDS)
        return True

    def reset(self) -> None:
        self._rounds = 0

    async def pause(self) -> None:
        """Waits for `kick`, 50 ms at most."""
        self._wanted.clear()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wanted.wait()
        except TimeoutError:
            pass

    @staticmethod
    async def _measure(connection: Connection) -> None:
        row = await (await connection.execute(WAITING)).fetchone()
        if row is not None:
            OUTBOX_ROWS.set(row[0])
            OUTBOX_AGE.set(float(row[1]))


def _record(row: Sequence[Any]) -> KafkaRecord:
    """The Kafka record of a row; its headers are computed from the event, not stored."""
    _, topic, key, value = row
    return KafkaRecord(topic, key, value, codec.headers_of(codec.decode(value)))
