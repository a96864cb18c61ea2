"""Appends events to Kafka and waits until the brokers acknowledge them.

The aiokafka producer is idempotent, with `acks=all`. Every wait has a timeout; a producer that
stops answering is abandoned and replaced in the background. Records sent by an abandoned producer
may or may not be in the log. Sending them again is safe, because events are deduplicated by id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.generated.events import Event
from schemas.topics import TOPICS
from schemas.wire import codec
from services.runtime.logging import log
from services.runtime.metrics import PRODUCER_RESTARTS
from services.runtime.readiness import NotReady


class KafkaAway(Exception):
    """Kafka did not acknowledge: it is unknown whether the records were appended.

    It is safe to append them again.
    """


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """An encoded event: topic, key, value, headers."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Appended:
    """Topic, partition and offset of an acknowledged record."""

    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class QueuedRecords:
    """Records that were queued in one aiokafka producer, in order; not acknowledged yet."""

    producer: Any
    deadline: float
    futures: list[asyncio.Future[Any]] = field(default_factory=list)


def record_of(event: Event, headers: Sequence[tuple[str, bytes]] = ()) -> KafkaRecord:
    """Encodes an event; `headers` are added to its standard headers."""
    value = codec.encode(event)
    return KafkaRecord(
        event.TOPIC, codec.key_of(event), value, [*codec.headers_of(event), *headers]
    )


class Producer:
    """Appends records; replaces its aiokafka producer after a failure, in the background."""

    def __init__(
        self, bootstrap: str, client_id: str, timeout: float = 5.0, linger_ms: int = 5
    ) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._timeout = timeout
        self._linger_ms = linger_ms
        self._live: Any = None
        self._made = 0
        self._wanted = asyncio.Event()
        self._arrived = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Starts connecting; returns when connected, or after the timeout while a background task
        goes on trying.
        """
        self._wanted.set()
        self._keeper = asyncio.create_task(self._keep())
        await asyncio.wait({asyncio.ensure_future(self._arrived.wait())}, timeout=self._timeout)

    async def stop(self) -> None:
        """Flushes queued records within a time limit, then closes."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper}, timeout=self._timeout)
        producer, self._live = self._live, None
        if producer is not None:
            await self._end(producer, flush=True)
        if self._ending:
            await asyncio.wait(self._ending, timeout=self._timeout)

    async def check(self) -> dict[str, Any]:
        """Readiness check: returns the number of brokers.

        Raises NotReady without a connection, and when a topic does not exist; TimeoutError or
        KafkaError if Kafka does not answer.
        """
        if self._live is None:
            raise NotReady("no connection to Kafka")
        cluster = await asyncio.wait_for(self._live.client.fetch_all_metadata(), self._timeout)
        missing = sorted(set(TOPICS) - set(cluster.topics()))
        if missing:
            raise NotReady(f"topics missing: {', '.join(missing)}")
        return {"brokers": len(cluster.brokers())}

    async def append(self, records: Sequence[KafkaRecord]) -> list[Appended]:
        """Appends all records, in order within a key, and waits until all are acknowledged.

        Raises KafkaAway.
        """
        return await self.acknowledged(await self.hand_over(records))

    async def hand_over(self, records: Sequence[KafkaRecord]) -> QueuedRecords:
        """Queues records after earlier ones; waits while the buffer is full. Raises KafkaAway."""
        if self._live is None:
            raise KafkaAway
        handed = QueuedRecords(self._live, asyncio.get_running_loop().time() + self._timeout)
        try:
            async with asyncio.timeout_at(handed.deadline):
                for record in records:
                    future = await handed.producer.send(
                        record.topic, record.value, key=record.key, headers=record.headers
                    )
                    handed.futures.append(future)
        except (KafkaError, TimeoutError, OSError) as error:
            raise self._lost(handed, error) from error
        return handed

    async def acknowledged(self, handed: QueuedRecords) -> list[Appended]:
        """Waits for the acknowledgements; returns the records' offsets. Raises KafkaAway."""
        if not handed.futures:
            return []
        left = max(0.0, handed.deadline - asyncio.get_running_loop().time())
        # `wait` does not cancel the futures after the timeout: other records share their batches.
        await asyncio.wait(handed.futures, timeout=left)
        try:
            return [self._appended(future) for future in handed.futures]
        except (KafkaError, TimeoutError, OSError, asyncio.InvalidStateError) as error:
            raise self._lost(handed, error) from error

    def holds(self, handed: QueuedRecords) -> bool:
        """Whether the next records go to the same aiokafka producer, so that they follow these."""
        return self._live is handed.producer

    @staticmethod
    def forget(handed: QueuedRecords) -> None:
        """Ignores the later results and errors of these records."""
        for future in handed.futures:
            future.add_done_callback(lambda late: late.cancelled() or late.exception())

    def _lost(self, handed: QueuedRecords, error: BaseException) -> KafkaAway:
        self.forget(handed)
        self._abandon(handed.producer, error)
        return KafkaAway(type(error).__name__)

    @staticmethod
    def _appended(future: asyncio.Future[Any]) -> Appended:
        metadata = future.result()
        return Appended(metadata.topic, metadata.partition, metadata.offset)

    def _abandon(self, producer: Any, error: BaseException) -> None:
        # One failure is enough: the idempotent producer itself retries until our timeout, so it is
        # an outage, or a state that only a new producer gets out of.
        if self._live is not producer:
            return
        log.warning("kafka_producer_abandoned", error=type(error).__name__)
        self._live = None
        self._arrived.clear()
        self._wanted.set()
        task = asyncio.create_task(self._end(producer, flush=False))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            producer = await self._make()
            if producer is None:
                await asyncio.sleep(0.3)
                continue
            self._wanted.clear()
            self._live = producer
            self._arrived.set()
            self._made += 1
            if self._made > 1:
                PRODUCER_RESTARTS.inc()
            log.info("kafka_producer_ready", made=self._made)

    async def _make(self) -> Any:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=self._linger_ms,
            max_batch_size=256 * 1024,
            request_timeout_ms=int(self._timeout * 1000),
            retry_backoff_ms=100,
            metadata_max_age_ms=10_000,
        )
        try:
            # Later than its own time-outs: when cancelled it would leave a connection open.
            await asyncio.wait_for(producer.start(), 10 * self._timeout)
            # Learn all topics now, so that no request pays for it and a missing one is seen.
            await asyncio.wait_for(producer.client.set_topics(list(TOPICS)), self._timeout)
        except asyncio.CancelledError:
            await self._end(producer, flush=False)
            raise
        except (KafkaError, TimeoutError, OSError) as error:
            log.warning("kafka_away", error=type(error).__name__)
            await self._end(producer, flush=False)
            return None
        return producer

    async def _end(self, producer: Any, flush: bool) -> None:
        # `stop()` waits for ever for a broker that is gone, unless the pending batches fail first.
        try:
            if flush:
                await asyncio.wait_for(producer.flush(), self._timeout)
            else:
                _fail_pending(producer)
            await asyncio.wait_for(producer.stop(), self._timeout)
        except (KafkaError, TimeoutError, OSError) as error:
            log.warning("kafka_producer_close_failed", error=type(error).__name__)
            _fail_pending(producer)
            await asyncio.wait({asyncio.ensure_future(producer.client.close())}, timeout=1)
            # A connection that was being opened meanwhile is added after the close.
            await asyncio.sleep(self._timeout)
            for connection in list(producer.client._conns.values()):
                connection.close()


def _fail_pending(producer: Any) -> None:
    """Fails the pending batches of an aiokafka producer, without warnings about their futures."""
    accumulator = producer._message_accumulator
    batches = [batch for queue in accumulator._batches.values() for batch in queue]
    batches += accumulator._pending_batches
    accumulator.fail_all(KafkaError("abandoned"))
    for batch in batches:
        for future in (batch.future, batch._drain_waiter):
            if future.done() and not future.cancelled():
                future.exception()
