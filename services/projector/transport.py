"""Makes Faust deliver whole fetches, and start reading at the checkpoints in Postgres.

A Faust message is a whole fetch of all partitions, so Faust's overhead is per fetch and not per
event. Faust calls `seek_to_committed` last in every assignment; that method is replaced and seeks
to the checkpoints. A seek elsewhere would be undone by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from aiokafka.consumer import fetcher
from faust.serializers.codecs import Codec, register
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

FETCH_BYTES_MIN = 64 * 1024
FETCH_WAIT_MS_MAX = 80  # lower: less latency, but more and smaller transactions
FULL_WAIT_SECONDS = 0.01
Fetched = list[tuple[TP, list[Any]]]


class AsFetched(Codec):
    """A codec that leaves values as the client delivered them."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


register("as_fetched", AsFetched())


class AsUnpacked(fetcher.PartitionRecords):  # type: ignore[misc]  # the client has no types
    """Delivers records as the client's C code unpacks them, without a second object per record.

    They have offset, timestamp, key, value and headers, but neither topic nor partition.
    """

    def __iter__(self) -> Any:
        return self._records_iterator

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


def hand_over_as_unpacked() -> None:
    """Makes aiokafka deliver `AsUnpacked` records, in the whole process."""
    fetcher.PartitionRecords = AsUnpacked


class PatientThread(driver.AIOKafkaConsumerThread):
    """A consumer thread with a minimum fetch size and a maximum wait at the broker."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no settings for these two
        consumer._fetch_min_bytes = FETCH_BYTES_MIN
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS_MAX
        return consumer


class BatchConsumer(driver.Consumer):
    """Delivers a fetch of all partitions as one message; its topic and partition are those of the
    fetch's first partition.
    """

    def _new_consumer_thread(self) -> PatientThread:
        return PatientThread(self, loop=self.loop, beacon=self.beacon)

    # by partition, the offset at which the first fetch after the last claim has to begin, until
    # that fetch has arrived; None while a claim runs
    _awaited: dict[TP, int] | None = None

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        records, active = await self._wait_next_records(await self._patience(timeout))
        if not records or self.should_stop or not self.flow_active:
            return
        fetched = [
            (tp, found)
            for tp, found in records.items()
            if found and (active is None or tp in active) and self._follows(tp, found)
        ]
        if fetched:
            run = self.app.pipeline.run  # type: ignore[attr-defined]  # it is a ProjectorApp
            yield fetched[0][0], _message((run, fetched), self.app.consumer_generation_id)

    def ack(self, message: Message) -> bool:
        """Acknowledges the records of all partitions in the message; False if done before."""
        first = super().ack(message)
        if first:
            _, fetched = cast(tuple[int, Fetched], message.value)
            for tp, records in fetched:
                self._acked[tp].append(records[-1].offset)
        return first

    async def _patience(self, timeout: float) -> float:
        """How long to wait for records, in seconds; first waits until a partition may be read.

        Faust skips partitions whose queue is full, and does not notice that there is room again
        while it waits for other partitions. So the wait is short while a queue is full.
        """
        while self._buffered_partitions and not (self._get_active_partitions() or self.should_stop):
            await asyncio.sleep(FULL_WAIT_SECONDS)
        return FULL_WAIT_SECONDS if self._buffered_partitions else timeout

    def _follows(self, tp: TP, fetched: list[Any]) -> bool:
        """Whether the records were fetched after the last claim's seek.

        Judged by their first offset, because a fetch may begin before the claim and end after it.
        Other records are dropped; Kafka returns them again.
        """
        if self._awaited is None or self._awaited.get(tp, fetched[0].offset) != fetched[0].offset:
            return False
        self._awaited.pop(tp, None)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Does nothing. Faust would keep the offsets of all fetches in a tree, which took half of a
        worker's time.
        """

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit to Kafka; None if nothing new is acknowledged.

        It is for monitoring tools only: reading never starts from it.
        """
        handled = self._acked[tp]
        if not handled:
            return None
        newest: int = max(handled)
        handled.clear()
        self._acked_index[tp].clear()
        return newest + 1

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Claims the assigned partitions and seeks to their checkpoints, which it returns."""
        self._awaited = None
        offsets = await self.app.claim(  # type: ignore[attr-defined]  # it is a ProjectorApp
            self.assignment()
        )
        # the assignment may have changed while Postgres was asked
        live = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
        self._awaited = dict(live)
        await self._thread.seek_wait(live)
        return live


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport, with `BatchConsumer`."""

    Consumer = BatchConsumer


def _message(value: tuple[int, Fetched], generation: int) -> ConsumerMessage:
    tp, records = value[1][0]
    last = records[-1]
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000,
        last.timestamp_type,
        [],
        None,
        cast(Any, value),
        None,
        0,
        0,
        tp,
        generation_id=generation,
    )
