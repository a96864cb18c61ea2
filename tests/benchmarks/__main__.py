"""How fast does one projector catch up, beside what reading and decoding alone would allow?

    python -m tests.benchmarks [EVENTS]

Both run here, one after the other, over the same records. The limit does nothing with an event
but decode it; the projector stores what follows from it, exactly once, and brings Redis up to date.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import redis
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from infra.stack import Stack
from schemas import codec
from schemas.topics import TOPICS
from services.cli import local
from tests.benchmarks.load import send

EVENTS = 200_000
TAKEN = ("commerce.purchases", "commerce.points")
PATIENCE_SECONDS = 300.0
NEXT_OFFSETS = "select coalesce(sum(next_offset), 0) from hitotsu.checkpoint"
REDIS_POSITION = "hitotsu:position:main"


def main() -> None:
    """Prints three rates and their ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    with tempfile.TemporaryDirectory(prefix="hitotsu-bench-") as folder:
        stack = Stack(Path(folder), provider="auto", registry=False)
        try:
            endpoints = stack.start_servers()
            env = local.environment(stack.home, endpoints)
            local.prepare(endpoints, env, local.tokens(stack.home))
            sent = asyncio.run(send(endpoints.kafka, count))
            _say(f"{sent:,} events, {os.cpu_count()} cores, one projector")
            limit = asyncio.run(_limit(endpoints.kafka, sent))
            _say(_compared("consume and decode", limit, limit))
            stored, visible = _catch_up(env, endpoints.postgres, endpoints.redis, sent)
            _say(_compared("stored in Postgres", stored, limit))
            _say(_compared("visible in Redis", visible, limit))
        finally:
            stack.stop(purge=True)


async def _limit(kafka: str, count: int) -> float:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign(
        [TopicPartition(name, p) for name in TAKEN for p in range(TOPICS[name].partitions)]
    )
    read, began = 0, 0.0
    while read < count:
        fetched = await consumer.getmany(timeout_ms=5_000, max_records=10_000)
        began = began or time.perf_counter()
        for records in fetched.values():
            for record in records:
                codec.decode(record.value)
            read += len(records)
    took = time.perf_counter() - began
    await consumer.stop()
    return count / took


def _catch_up(env: Mapping[str, str], dsn: str, cache: str, count: int) -> tuple[float, float]:
    """From the first commit: events/s until all are stored, and until Redis has them too."""
    with tempfile.TemporaryFile() as log, psycopg.connect(dsn, autocommit=True) as connection:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.projector"],
            env={**os.environ, **env}, stdout=log, stderr=log,
        )  # fmt: skip

        views = redis.Redis.from_url(cache)

        def in_postgres() -> int:
            row = connection.execute(NEXT_OFFSETS).fetchone()
            return int(row[0]) if row else 0

        def in_redis() -> int:
            return sum(int(offset) for offset in views.hvals(REDIS_POSITION))

        try:
            before = _wait(in_postgres, 1)
            began = time.perf_counter()
            _wait(in_postgres, count)
            stored = time.perf_counter() - began
            _wait(in_redis, count)
            visible = time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(30)
            views.close()
    return (count - before) / stored, (count - before) / visible


def _wait(reached: Callable[[], int], wanted: int) -> int:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := reached()) < wanted:
        if time.monotonic() > deadline:
            sys.exit(f"the projector stands still at {found:,}")
        time.sleep(0.02)
    return found


def _compared(what: str, rate: float, limit: float) -> str:
    return f"{what:<22}{rate:>10,.0f} events/s {rate / limit:>7.1%} of the limit"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
