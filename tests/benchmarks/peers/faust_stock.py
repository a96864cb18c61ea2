"""Faust as it comes: a transaction an event, or `take(1000)` with a set-based transaction.

python -m tests.benchmarks.peers.faust_stock event|take
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

import faust
import psycopg

from tests.benchmarks.peers import reading
from tests.benchmarks.peers.tables import apply_batch_async, one

TAKEN, WITHIN_SECONDS = 1_000, 1


def app(mode: str) -> faust.App:
    """One agent over the topics; every event passes Faust's stream on its own."""
    made = faust.App(
        f"peer-{time.time_ns()}",
        broker=f"kafka://{reading.KAFKA}",
        consumer_auto_offset_reset="earliest",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        datadir=tempfile.mkdtemp(prefix="hitotsu-bench-faust-"),
    )
    source = made.topic(
        *reading.TOPICS, value_type=bytes, value_serializer="raw", key_serializer="raw"
    )
    clock = reading.Clock()

    @made.agent(source)
    async def apply(stream: Any) -> None:
        connection = await psycopg.AsyncConnection.connect(
            reading.POSTGRES, options=reading.OPTIONS
        )
        if mode == "take":
            async for values in stream.take(TAKEN, within=WITHIN_SECONDS):
                clock.first()
                async with connection.transaction(), connection.cursor() as cursor:
                    await apply_batch_async(cursor, [reading.decode(value) for value in values])
                if clock.durable(len(values)):
                    reading.wait_for_the_end()
        async for value in stream:
            clock.first()
            async with connection.transaction():
                await connection.execute(*one(reading.decode(value)))
            if clock.durable(1):
                reading.wait_for_the_end()

    return made


if __name__ == "__main__":
    mode = sys.argv.pop(1)
    sys.argv += ["worker", "-l", "warn", "--without-web"]
    app(mode).main()
