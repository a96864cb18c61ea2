"""The topics' end offsets, refreshed in the background so that no answer waits for Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping

from aiokafka.errors import KafkaError

from schemas.topics import TOPICS
from services.reading.position import topic_of
from services.runtime.end_offsets import TopicEnds
from services.runtime.logging import log
from services.runtime.readiness import NotReady

PATIENCE_SECONDS = 3.0
FRESH_SECONDS = 5.0
ASK_AGAIN_SECONDS = 0.1
AWAY = "Kafka does not answer, so the ends of its topics are unknown"
NO_POSITION = "Postgres has not told lately how far it has read"


class Ends:
    """The end offset of every partition, and when it was read."""

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        self._kafka = TopicEnds(bootstrap, topics, "api", PATIENCE_SECONDS)
        self._by_topic: dict[str, list[tuple[str, int]]] = {}
        self._missing: frozenset[str] = frozenset()
        self._at = -FRESH_SECONDS
        self._away = False
        self._asking = asyncio.Lock()
        self._seeking = asyncio.Lock()
        self._sought_at = -ASK_AGAIN_SECONDS  # when a partition that nobody knew was asked for

    async def refresh(self, wanted: Collection[tuple[str, int]] = ()) -> None:
        """Asks Kafka once; `wanted`: partitions that may be new since the last refresh."""
        async with self._asking:
            await self._refresh(wanted)

    async def _refresh(self, wanted: Collection[tuple[str, int]]) -> None:
        try:
            asked = await self._kafka.ask(wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            if not self._away:
                log.warning("end_offsets_unknown", error=type(error).__name__)
            self._away = True
            return
        self._at, self._away = time.monotonic(), False
        self._by_topic = {}
        for (topic, partition), end in asked.ends.items():
            self._by_topic.setdefault(topic, []).append((f"{topic}-{partition}", end))
        for topic in asked.incomplete:  # a part of a sum is not the sum
            self._by_topic.pop(topic, None)
        if asked.missing - self._missing:
            log.error("topics_missing", topics=sorted(asked.missing))
        self._missing = asked.missing

    @property
    def known(self) -> object:
        """The last result, the same object until it changes; None when it is too old."""
        return self._by_topic if time.monotonic() - self._at <= FRESH_SECONDS else None

    def lag(
        self, position: Mapping[str, int] | None, topics: Iterable[str]
    ) -> tuple[int | None, str | None]:
        """How many records of these topics follow a position; None with the reason when unknown."""
        if time.monotonic() - self._at > FRESH_SECONDS:
            return None, AWAY
        if position is None:
            return None, NO_POSITION
        wanted = frozenset(topics)
        unknown = sorted(wanted - self._by_topic.keys())
        if unknown:
            return None, f"Kafka does not tell where {', '.join(unknown)} ends"
        late = 0
        for topic in wanted:
            for name, end in self._by_topic[topic]:
                late += max(0, end - position.get(name, 0))
        return late, None

    async def exists(self, name: str) -> bool | None:
        """Whether the partition `topic-number` exists; None while Kafka does not answer.

        Declared partitions exist. For others Kafka is asked, at most ten times a second, because
        partitions can be added while this process runs.
        """
        topic, number = topic_of(name), int(name.rpartition("-")[2])
        if number < TOPICS[topic].partitions or self._has(topic, name):
            return True
        began = time.monotonic()
        async with self._seeking:
            if self._sought_at < began:  # else it was asked for somebody else meanwhile
                await asyncio.sleep(max(0.0, self._sought_at + ASK_AGAIN_SECONDS - began))
                self._sought_at = time.monotonic()
                await self.refresh({(topic, number)})
        if time.monotonic() - self._at > FRESH_SECONDS or topic not in self._by_topic:
            return None
        return self._has(topic, name)

    def _has(self, topic: str, name: str) -> bool:
        return any(known == name for known, _ in self._by_topic.get(topic, ()))

    def check(self) -> None:
        """Readiness check: Kafka answered recently, and every topic exists."""
        if time.monotonic() - self._at > FRESH_SECONDS:
            raise NotReady("Kafka returned no end offsets recently")
        if self._missing:
            raise NotReady(f"topics missing: {', '.join(sorted(self._missing))}")

    async def close(self) -> None:
        """Closes the connections to Kafka."""
        await self._kafka.close()
