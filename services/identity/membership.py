"""Which shares are this process's? As many as Kafka gives it partitions, in a group of their own.

The group hands out partitions and nothing else: what they hold is read elsewhere, by everybody.
Two processes may believe for a moment that a share is theirs; its progress in Postgres lets only
one of them through.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from services.identity.shards import SHARES, TOPIC
from services.runtime.logging import log

GROUP = "hitotsu-identity"
AGAIN_SECONDS = 1.0


class ConsumerMembership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Stays in the group; `shares` is what the process holds now."""

    def __init__(self, kafka: str, group: str = "main", client_id: str = "identity") -> None:
        self._kafka, self._client_id = kafka, client_id
        self._name = GROUP if group == "main" else f"{GROUP}-{group}"
        self.shares: frozenset[int] = frozenset()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to take part; Kafka need not be there yet."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leaves the group, so that others need not wait for its silence."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self.shares = frozenset()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self.shares = frozenset()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        # partitions may have been added; a share is a profile's, and their number stays
        self.shares = frozenset(p.partition for p in assigned if p.partition < SHARES)
        log.info("shares taken", shares=sorted(self.shares))

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
                    # nothing is fetched; asking keeps the group from believing us dead
                    consumer.pause(*consumer.assignment())
                    await consumer.getmany(timeout_ms=500)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("out of the group", error=type(error).__name__)
            finally:
                self.shares = frozenset()
                await consumer.stop()
            await asyncio.sleep(AGAIN_SECONDS)
