"""A hand-written loop: aiokafka, fastavro, one set-based transaction a batch.

python -m tests.benchmarks.peers.loop
"""

from __future__ import annotations

import asyncio
import time

import psycopg
from aiokafka import AIOKafkaConsumer

from tests.benchmarks.peers import reading
from tests.benchmarks.peers.tables import apply_batch_async


async def main() -> None:
    """Reads, stores, then commits to Kafka; a resend is caught by the ledger's key."""
    connection = await psycopg.AsyncConnection.connect(reading.POSTGRES, options=reading.OPTIONS)
    consumer = AIOKafkaConsumer(
        *reading.TOPICS,
        bootstrap_servers=reading.KAFKA,
        group_id=f"loop-{time.time_ns()}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    clock, ended = reading.Clock(), False
    while not ended:
        fetched = await consumer.getmany(timeout_ms=1_000, max_records=reading.BATCH)
        values = [record.value for records in fetched.values() for record in records]
        if not values:
            continue
        clock.first()
        facts = [reading.decode(value) for value in values if value is not None]
        async with connection.transaction(), connection.cursor() as cursor:
            await apply_batch_async(cursor, facts)
        await consumer.commit()
        ended = clock.durable(len(values))
    reading.wait_for_the_end()


if __name__ == "__main__":
    asyncio.run(main())
