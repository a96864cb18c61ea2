"""Reads the end offsets of topics from Kafka.

The list of partitions comes from the cluster's metadata, because a client without a subscription
refreshes its own list only every few minutes. A partition without a leader is left out: its end is
unknown, never 0.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

Place = tuple[str, int]
PARTITIONS_SECONDS = 10.0  # new and removed partitions are noticed within this time
CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class EndOffsets:
    """End offsets by topic and partition; `missing`: topics that Kafka does not have.

    A partition without a leader has no entry. `incomplete`: topics with such a partition, or for
    which Kafka reports an error.
    """

    ends: Mapping[Place, int]
    missing: frozenset[str] = frozenset()
    incomplete: frozenset[str] = frozenset()


class TopicEnds:
    """Asks Kafka for end offsets; keeps its clients, and makes new ones after a failure."""

    def __init__(
        self, kafka: str, topics: Iterable[str], client_id: str, timeout: float = 5.0
    ) -> None:
        self._kafka, self._client_id, self._timeout = kafka, client_id, timeout
        self._topics = frozenset(topics)
        self._admin: Any = None
        self._consumer: Any = None
        self._places: frozenset[Place] = frozenset()
        self._missing: frozenset[str] = frozenset()
        self._incomplete: frozenset[str] = frozenset()
        self._described_at = 0.0

    async def ask(self, wanted: Collection[Place] = ()) -> EndOffsets:
        """The current end offsets of all partitions of the topics that have a leader.

        Reads metadata again after `PARTITIONS_SECONDS`, and when a partition in `wanted` is
        unknown. Raises `TimeoutError`, and any error of the Kafka client.
        """
        # `wait`, not `wait_for`, which would wait for a client that ignores its cancellation
        task = asyncio.ensure_future(self._asked(wanted))
        done, _ = await asyncio.wait({task}, timeout=self._timeout)
        if not done:
            task.cancel()
        error = task.exception() if done else TimeoutError("Kafka does not answer")
        if error is None:
            return task.result()
        await self.close()
        raise error

    async def close(self) -> None:
        """Closes both clients, within two seconds."""
        consumer, self._consumer = self._consumer, None
        admin, self._admin = self._admin, None
        self._described_at = 0.0
        closing = [one.stop() for one in (consumer,) if one is not None]
        closing += [one.close() for one in (admin,) if one is not None]
        if closing:
            tasks = {asyncio.ensure_future(one) for one in closing}
            done, late = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            for task in done:
                task.exception()  # ignored: closing fails while the broker is unreachable

    async def _asked(self, wanted: Collection[Place]) -> EndOffsets:
        await self._connected()
        old = time.monotonic() - self._described_at > PARTITIONS_SECONDS
        if old or not self._places.issuperset(wanted):
            await self._describe()
        places = [TopicPartition(*place) for place in sorted(self._places)]
        found = await self._consumer.end_offsets(places) if places else {}
        ends = {(place.topic, place.partition): end for place, end in found.items()}
        return EndOffsets(ends, self._missing, self._incomplete)

    async def _connected(self) -> None:
        milliseconds = int(self._timeout * 1000)
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(
                bootstrap_servers=self._kafka, client_id=self._client_id,
                request_timeout_ms=milliseconds,
            )  # fmt: skip
            await self._admin.start()
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._kafka, client_id=self._client_id, group_id=None,
                enable_auto_commit=False, request_timeout_ms=milliseconds,
            )  # fmt: skip
            await self._consumer.start()

    async def _describe(self) -> None:
        # All topics of the cluster: naming one that is missing could create it.
        described = {one["topic"]: one for one in await self._admin.describe_topics()}
        led: dict[Place, bool] = {}
        broken = set()
        for name in self._topics & described.keys():
            if described[name]["error_code"]:
                broken.add(name)
            for partition in described[name]["partitions"]:
                led[name, partition["partition"]] = partition["leader"] >= 0
        self._places = frozenset(place for place, has_leader in led.items() if has_leader)
        leaderless = {topic for (topic, _), has_leader in led.items() if not has_leader}
        self._incomplete = frozenset(broken | leaderless)
        self._missing = self._topics - described.keys()
        self._described_at = time.monotonic()
