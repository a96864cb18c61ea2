"""Where do the topics end? Asked of Kafka in the background, so that no answer waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from aiokafka.errors import KafkaError

from services.runtime.ends import TopicEnds
from services.runtime.health import NotReady
from services.runtime.logging import log

PATIENCE_SECONDS = 3.0
FRESH_SECONDS = 5.0
AWAY = "Kafka does not answer, so the ends of its topics are unknown"
NO_POSITION = "Postgres has not told lately how far it has read"


class Ends:
    """The end offset of every partition, and how long ago that was."""

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        self._kafka = TopicEnds(bootstrap, topics, "api", PATIENCE_SECONDS)
        self._by_topic: dict[str, list[tuple[str, int]]] = {}
        self._missing: frozenset[str] = frozenset()
        self._at = -FRESH_SECONDS
        self._away = False

    async def refresh(self) -> None:
        """Asks once."""
        try:
            asked = await self._kafka.ask()
        except (KafkaError, OSError, TimeoutError) as error:
            if not self._away:
                log.warning("end offsets unknown", error=type(error).__name__)
            self._away = True
            return
        self._at, self._away = time.monotonic(), False
        self._by_topic = {}
        for (topic, partition), end in asked.ends.items():
            self._by_topic.setdefault(topic, []).append((f"{topic}-{partition}", end))
        for topic in asked.incomplete:  # a part of a sum is not the sum
            self._by_topic.pop(topic, None)
        if asked.missing - self._missing:
            log.error("topics missing", topics=sorted(asked.missing))
        self._missing = asked.missing

    def lag(
        self, position: Mapping[str, int] | None, topics: Iterable[str]
    ) -> tuple[int | None, str | None]:
        """How many records of these topics come after a position; None and why, when unknown."""
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

    def check(self) -> None:
        """For readiness: Kafka has answered lately, and has every topic."""
        if time.monotonic() - self._at > FRESH_SECONDS:
            raise NotReady("no end offsets from Kafka lately")
        if self._missing:
            raise NotReady(f"topics missing: {', '.join(sorted(self._missing))}")

    async def close(self) -> None:
        """Lets go of Kafka."""
        await self._kafka.close()
