"""Where do the topics end? Asked of Kafka in the background, so that no answer waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import TOPICS
from services.api.position import Position, topic_of
from services.runtime.health import NotReady
from services.runtime.logging import log

PATIENCE_SECONDS = 3.0
FRESH_SECONDS = 5.0


class Ends:
    """The end offset of every partition, and how long ago that was."""

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        self._bootstrap = bootstrap
        self._names = {f"{t}-{p}" for t in topics for p in range(TOPICS[t].partitions)}
        self._consumer: Any = None
        self._by_topic: dict[str, list[tuple[str, int]]] = {}
        self._at = -FRESH_SECONDS
        self._away = False

    async def refresh(self, seen: Iterable[str]) -> None:
        """Asks once; `seen` names partitions that were met though nobody declared them."""
        self._names |= {name for name in seen if topic_of(name) in TOPICS}
        task = asyncio.ensure_future(self._asked())
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        if not done:
            task.cancel()
        error = task.exception() if done else TimeoutError()
        if error is None:
            self._learnt(task.result())
            return
        if not isinstance(error, KafkaError | OSError | TimeoutError):
            raise error
        if not self._away:
            log.warning("end offsets unknown", error=type(error).__name__)
        self._away = True
        await self.close()

    def lag(
        self, position: Mapping[str, int], topics: Iterable[str]
    ) -> tuple[int | None, str | None]:
        """How many records of these topics come after a position; None and why, when unknown."""
        if time.monotonic() - self._at > FRESH_SECONDS:
            return None, "Kafka does not answer, so the ends of its topics are unknown"
        late = 0
        for topic in frozenset(topics):
            for name, end in self._by_topic.get(topic, ()):
                late += max(0, end - position.get(name, 0))
        return late, None

    def check(self) -> None:
        """For readiness: Kafka has answered lately."""
        if time.monotonic() - self._at > FRESH_SECONDS:
            raise NotReady("no end offsets from Kafka lately")

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(consumer.stop(), PATIENCE_SECONDS)

    def _learnt(self, ends: Position) -> None:
        self._at, self._away = time.monotonic(), False
        self._by_topic = {}
        for name, end in ends.items():
            self._by_topic.setdefault(topic_of(name), []).append((name, end))

    async def _asked(self) -> Position:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap, client_id="api", group_id=None,
                enable_auto_commit=False, request_timeout_ms=int(PATIENCE_SECONDS * 1000),
            )  # fmt: skip
            await self._consumer.start()
        wanted = [
            TopicPartition(topic_of(name), int(name.rpartition("-")[2])) for name in self._names
        ]
        found = await self._consumer.end_offsets(wanted)
        return {f"{one.topic}-{one.partition}": end for one, end in found.items()}
