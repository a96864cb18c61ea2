"""Caches the end offsets of topics, refreshed in the background, so that no lag waits for Kafka.

Only a `min_position` with a partition that no topic declares may wait for it (`Ends.exists`).
"""

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
AWAY = "Kafka does not answer, so the end offsets of its topics are unknown"
NO_POSITION = "the position is unknown, because Postgres could not be read recently"


class Ends:
    """The end offsets of all partitions of some topics, and the lag of a position behind them."""

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        self._kafka = TopicEnds(bootstrap, topics, "api", PATIENCE_SECONDS)
        self._by_topic: dict[str, list[tuple[str, int]]] = {}
        self._missing: frozenset[str] = frozenset()
        self._at = -FRESH_SECONDS
        self._away = False
        self._asking = asyncio.Lock()
        self._seeking = asyncio.Lock()
        self._sought_at = -ASK_AGAIN_SECONDS  # last query of Kafka for an unknown partition

    async def refresh(self, wanted: Collection[tuple[str, int]] = ()) -> None:
        """Queries Kafka once; an error leaves the offsets as they are, to become too old.

        `wanted`: partitions that may be new since the last refresh.
        """
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
        for topic in asked.incomplete:  # without all partitions, the lag would be too low
            self._by_topic.pop(topic, None)
        if asked.missing - self._missing:
            log.error("topics_missing", topics=sorted(asked.missing))
        self._missing = asked.missing

    @property
    def known(self) -> object:
        """An object that stays the same until the next refresh; None if the offsets are too old.

        For use as a cache key.
        """
        return self._by_topic if time.monotonic() - self._at <= FRESH_SECONDS else None

    def lag(
        self, position: Mapping[str, int] | None, topics: Iterable[str]
    ) -> tuple[int | None, str | None]:
        """(Number of records of these topics after `position`, None), or (None, why unknown).

        `position`: None if it is not known.
        """
        if time.monotonic() - self._at > FRESH_SECONDS:
            return None, AWAY
        if position is None:
            return None, NO_POSITION
        wanted = frozenset(topics)
        unknown = sorted(wanted - self._by_topic.keys())
        if unknown:
            return None, f"Kafka returned no end offsets for {', '.join(unknown)}"
        late = 0
        for topic in wanted:
            for name, end in self._by_topic[topic]:
                late += max(0, end - position.get(name, 0))
        return late, None

    async def exists(self, name: str) -> bool | None:
        """Whether the partition `name` (topic-number) exists; None while Kafka does not answer, or
        does not report all partitions of the topic.

        Declared partitions count as existing. For others Kafka is queried, at most ten times a
        second, because partitions can be added while this process runs.
        """
        topic, number = topic_of(name), int(name.rpartition("-")[2])
        if number < TOPICS[topic].partitions or self._has(topic, name):
            return True
        began = time.monotonic()
        async with self._seeking:
            if self._sought_at < began:  # else another caller has queried Kafka meanwhile
                await asyncio.sleep(max(0.0, self._sought_at + ASK_AGAIN_SECONDS - began))
                self._sought_at = time.monotonic()
                await self.refresh({(topic, number)})
        if time.monotonic() - self._at > FRESH_SECONDS or topic not in self._by_topic:
            return None
        return self._has(topic, name)

    def _has(self, topic: str, name: str) -> bool:
        return any(known == name for known, _ in self._by_topic.get(topic, ()))

    def check(self) -> None:
        """Readiness check: raises NotReady unless Kafka answered recently and all topics exist."""
        if time.monotonic() - self._at > FRESH_SECONDS:
            raise NotReady("Kafka returned no end offsets recently")
        if self._missing:
            raise NotReady(f"topics missing: {', '.join(sorted(self._missing))}")

    async def close(self) -> None:
        """Closes the connections to Kafka."""
        await self._kafka.close()
