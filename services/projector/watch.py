"""Is the projector getting anywhere? Lag by partition, and a way out when nothing moves.

A worker can sit alive and idle after a broker's restart. The watchdog looks at positions, asked of
Kafka by a client of its own, and ends the process when there is lag and no progress; one
transaction that is known to take long is none of its business.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import threading
import time
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from services.runtime.logging import log
from services.runtime.metrics import LAG, LAST_PROGRESS, NEXT_OFFSET

Place = tuple[str, int]
STUCK_SECONDS = 30.0
ASK_SECONDS = 1.0
COLLECT_ROUNDS = 60


class Watch:
    """Compares ends with checkpoints once a second, in a thread of its own."""

    def __init__(
        self,
        kafka: str,
        group: str,
        topics: list[str],
        held: Callable[[], Mapping[Place, int]],
        leave: Callable[[str], None],
        busy: Callable[[], bool],
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._topics = topics
        self._held = held
        self._leave = leave
        self._busy = busy
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()), name="watch", daemon=True
        )
        self.lag: int | None = None
        self.seen_at = 0.0
        self.holding = 0

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    async def _run(self) -> None:
        before: Mapping[Place, int] = {}
        ends_before: Mapping[Place, int] = {}
        moved_at = time.monotonic()
        consumer: AIOKafkaConsumer | None = None
        rounds = 0
        while True:
            await asyncio.sleep(ASK_SECONDS)
            rounds += 1
            if rounds % COLLECT_ROUNDS == 0:
                # the collector is off in the hot threads; clients leave some cycles behind
                gc.collect()
                _give_back()
            try:
                consumer = consumer or await self._consumer()
                ends = await asyncio.wait_for(self._ends(consumer), 5)
            except (
                Exception
            ) as error:  # whatever the client raises: Kafka is away, and stays no reason to leave
                log.warning("kafka_away", error=type(error).__name__)
                await _closed(consumer)
                consumer = None
                moved_at = time.monotonic()
                continue
            held = dict(self._held())
            self._show(held, ends)
            idle = not held and ends != ends_before and bool(ends_before)
            moved = (held and self.lag == 0) or held != before or (not held and not idle)
            if moved or self._busy():
                moved_at = time.monotonic()
                LAST_PROGRESS.labels(self._group).set(time.time())
            elif time.monotonic() - moved_at > STUCK_SECONDS:
                self._leave(f"no progress for {STUCK_SECONDS:.0f} s with {self.lag} events to go")
            before, ends_before = held, ends

    def _show(self, held: Mapping[Place, int], ends: Mapping[Place, int]) -> None:
        lag = 0
        for (topic, partition), offset in held.items():
            behind = max(0, ends.get((topic, partition), offset) - offset)
            lag += behind
            LAG.labels(self._group, topic, str(partition)).set(behind)
            NEXT_OFFSET.labels(self._group, topic, str(partition)).set(offset)
        self.lag, self.seen_at, self.holding = lag, time.monotonic(), len(held)

    async def _consumer(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, request_timeout_ms=5_000)
        await asyncio.wait_for(consumer.start(), 10)
        return consumer

    async def _ends(self, consumer: AIOKafkaConsumer) -> dict[Place, int]:
        places = []
        for topic in self._topics:
            partitions = consumer.partitions_for_topic(topic)
            if partitions is None:
                await consumer.topics()
                partitions = consumer.partitions_for_topic(topic) or set()
            places += [TopicPartition(topic, partition) for partition in sorted(partitions)]
        ends = await consumer.end_offsets(places)
        return {(place.topic, place.partition): end for place, end in ends.items()}


def _give_back() -> None:
    """What a large batch leaves free in the C heap goes back to the system, where libc can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def _closed(consumer: AIOKafkaConsumer | None) -> None:
    if consumer is not None:
        await asyncio.wait({asyncio.ensure_future(consumer.stop())}, timeout=2)
