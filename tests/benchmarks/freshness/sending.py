"""Who sends at a steady rate? A process of its own, that notes where the broker put each event.

    python -m tests.benchmarks.freshness.sending KAFKA RATE SECONDS OUT

It appends with the gateway's client, at the gateway's pace: a client that makes a request of each
partition's batch would have the broker answer four times as many. OUT gets a line for each event:
topic, partition, offset, and when the broker appended it. It says READY once the events are made,
and begins when its input is closed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from schemas.topics import TOPICS
from services.runtime.producer import KafkaRecord
from tests.benchmarks.freshness.shop import SHAPE
from tests.benchmarks.workload import load

TICK_SECONDS, READY = 0.005, "ready"
Place = tuple[str, int]


async def main(kafka: str, rate: int, seconds: float, out: str) -> None:
    """Ends when every event was acknowledged."""
    records = load("w2", int(rate * seconds) + rate, 0, SHAPE, seed=2).records
    placed = [(_place(record), record) for record in records]
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, compression_type="lz4"
    )
    await producer.start()
    gc.disable()
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    sys.stdin.read()
    sent: list[tuple[Place, int, Any]] = []
    began, next_one = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        due = max(next_one, int(passed * rate))
        sent += await _send(producer, placed[next_one:due])
        next_one = due
        await asyncio.sleep(TICK_SECONDS)
    lines = [line for each in sent for line in await _appended(*each)]
    await producer.stop()
    Path(out).write_text("\n".join(map(json.dumps, lines)), "utf-8")


async def _send(
    producer: AIOKafkaProducer, records: Sequence[tuple[Place, KafkaRecord]]
) -> list[tuple[Place, int, Any]]:
    """A batch of each partition; all go in one request."""
    batches: dict[Place, Any] = defaultdict(producer.create_batch)
    for place, record in records:
        batches[place].append(
            timestamp=None, key=record.key, value=record.value, headers=record.headers
        )
    return [
        (
            place,
            batch.record_count(),
            await producer.send_batch(batch, place[0], partition=place[1]),
        )
        for place, batch in batches.items()
    ]


async def _appended(place: Place, count: int, future: Any) -> list[tuple[str, int, int, int]]:
    first = await future
    return [(*place, first.offset + number, first.timestamp) for number in range(count)]


def _place(record: KafkaRecord) -> Place:
    """As the client would choose; worked out beforehand, for it costs more than sending."""
    partitions = list(range(TOPICS[record.topic].partitions))
    return record.topic, DefaultPartitioner()(record.key, partitions, partitions)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
