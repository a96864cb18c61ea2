"""How do decided facts get into the log? Rows of the deciding transaction, relayed afterwards.

At least once, and in the order of their ids within a key: ids are taken under the locks that the
decision holds. There is no cursor: a row that commits late with a lower id is sent at the next
look. A record that was sent twice is applied once, by its event id.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from schemas.generated.events import Event
from schemas.wire import codec
from services.runtime.arrays import array, columns
from services.runtime.db import Connection
from services.runtime.metrics import OUTBOX_AGE, OUTBOX_ROWS, OUTBOX_SENT
from services.runtime.producer import KafkaAway, KafkaRecord, Producer
from services.runtime.worker import Worker

AT_ONCE = 500
LOOK_SECONDS, AWAY_SECONDS = 0.05, 0.5
GATHER_SECONDS = 0.1  # after some were sent: each sending costs as much as a hundred facts
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
ONE_ONLY = "select pg_try_advisory_lock(hashtext('hitotsu.outbox'))"


async def add(connection: Connection, events: Sequence[Event]) -> None:
    """Puts facts behind those of before, in the caller's transaction."""
    if not events:
        return
    rows = [(event.TOPIC, codec.key_of(event), codec.encode(event)) for event in events]
    await connection.execute(ADD, columns(("text", "bytea", "bytea"), rows))


class OutboxRelay(Worker):
    """Sends what is in the outbox; one at a time over all processes, by a lock in Postgres."""

    def __init__(self, dsn: str, producer: Producer, name: str = "outbox") -> None:
        super().__init__(dsn, name, AWAY_SECONDS)
        self._producer = producer
        self._wanted = asyncio.Event()

    def kick(self) -> None:
        """There may be something to send."""
        self._wanted.set()

    async def turn(self, connection: Connection) -> None:
        try:
            await self._send_all(connection)
        finally:  # another process measures from here on, or nobody can
            OUTBOX_ROWS.set(math.nan)
            OUTBOX_AGE.set(math.nan)

    async def _send_all(self, connection: Connection) -> None:
        looks = 0
        while not await _value(connection, ONE_ONLY):
            await asyncio.sleep(AWAY_SECONDS)
        while True:
            looks += 1
            if looks % 200 == 1:
                await self._measure(connection)
            rows = await (await connection.execute(UNSENT, [AT_ONCE], binary=True)).fetchall()
            if rows and await self._sent([_record(row) for row in rows]):
                await connection.execute(SENT, [array("bigint", [row[0] for row in rows])])
                OUTBOX_SENT.inc(len(rows))
                if len(rows) < AT_ONCE:
                    await asyncio.sleep(GATHER_SECONDS)
            elif not rows:
                self._wanted.clear()
                await _until(self._wanted, LOOK_SECONDS)

    async def _sent(self, records: list[KafkaRecord]) -> bool:
        try:
            await self._producer.append(records)
        except KafkaAway:
            await asyncio.sleep(0.3)
            return False
        return True

    @staticmethod
    async def _measure(connection: Connection) -> None:
        row = await (await connection.execute(WAITING)).fetchone()
        if row is not None:
            OUTBOX_ROWS.set(row[0])
            OUTBOX_AGE.set(float(row[1]))


def _record(row: Sequence[Any]) -> KafkaRecord:
    """The headers follow from the event: no decision has to store them."""
    _, topic, key, value = row
    return KafkaRecord(topic, key, value, codec.headers_of(codec.decode(value)))


async def _value(connection: Connection, statement: str) -> Any:
    row = await (await connection.execute(statement.encode())).fetchone()
    return row[0] if row else None


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
