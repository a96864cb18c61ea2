"""Shard ownership: a Kafka consumer group assigns the shards to processes.

The group only distributes partition numbers; no records are consumed through it. For a moment two
processes may both believe that they own a shard; the shard's progress row in Postgres lets only one
of them commit (fencing).
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from services.identity.shards import SHARES, TOPIC
from services.runtime.groups import LIVE
from services.runtime.logging import log

GROUP = "hitotsu-identity"
AGAIN_SECONDS = 1.0


class ConsumerMembership(ConsumerRebalanceListener):  # type: ignore[misc]
    """A member of the consumer group; `shares` are the shards that the process holds now."""

    def __init__(self, kafka: str, group: str = LIVE, client_id: str = "identity") -> None:
        self._kafka, self._client_id = kafka, client_id
        self._name = GROUP if group == LIVE else f"{GROUP}-{group}"
        self.shares: frozenset[int] = frozenset()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Joins the group in a background task, which retries while Kafka is unreachable."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leaves the group, so that its shards are reassigned without waiting for the session
        timeout.
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self.shares = frozenset()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self.shares = frozenset()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        # the topic may have more partitions than shards: the number of shards is fixed
        self.shares = frozenset(p.partition for p in assigned if p.partition < SHARES)
        log.info("shards_assigned", shards=sorted(self.shares))

    async def _run(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._kafka, group_id=self._name, client_id=self._client_id,
                enable_auto_commit=False, auto_offset_reset="latest", session_timeout_ms=10_000,
                heartbeat_interval_ms=2_000,
            )  # fmt: skip
            try:
                await consumer.start()
                consumer.subscribe([TOPIC], listener=self)
                while True:
                    # polling keeps the membership alive; paused partitions return no records
                    consumer.pause(*consumer.assignment())
                    await consumer.getmany(timeout_ms=500)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("left_consumer_group", error=type(error).__name__)
            finally:
                self.shares = frozenset()
                await consumer.stop()
            await asyncio.sleep(AGAIN_SECONDS)
