"""Makes Faust deliver whole fetches, and start reading at the checkpoints in Postgres.

Each Faust message is a whole fetch of all partitions, so that Faust's cost is paid per fetch and
not per event. `seek_to_committed` is the last seek of every assignment, so it seeks to the
checkpoints (a seek in the assignment signal would be undone by Faust).
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
FETCH_WAIT_MS_MAX = 80  # an event waits half of it; each fetch makes a transaction
FULL_WAIT_SECONDS = 0.01
Fetched = list[tuple[TP, list[Any]]]


class AsFetched(Codec):
    """A codec that leaves values as the client delivered them."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


register("as_fetched", AsFetched())


class AsUnpacked(fetcher.PartitionRecords):  # type: ignore[misc]  # the client says no types
    """Records as the client's C code unpacks them, without a second object for each.

    They have offset, timestamp, key, value and headers; topic and partition belong to the fetch.
    """

    def __iter__(self) -> Any:
        return self._records_iterator

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


def hand_over_as_unpacked() -> None:
    """Patches the client's record class for the whole process; the fetcher looks it up by name."""
    fetcher.PartitionRecords = AsUnpacked


class PatientThread(driver.AIOKafkaConsumerThread):
    """Sets the broker's minimum fetch size and wait, for which Faust has no settings."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no settings for these two
        consumer._fetch_min_bytes = FETCH_BYTES_MIN
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS_MAX
        return consumer


class BatchConsumer(driver.Consumer):
    """Delivers the fetched records of all partitions as one message, named after the first
    partition.
    """

    def _new_consumer_thread(self) -> PatientThread:
        return PatientThread(self, loop=self.loop, beacon=self.beacon)

    # where each partition's next fetch begins since the last claim; None while one is under way
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
        """Acknowledges all partitions of the message, not only the one that names it."""
        first = super().ack(message)
        if first:
            _, fetched = cast(tuple[int, Fetched], message.value)
            for tp, records in fetched:
                self._acked[tp].append(records[-1].offset)
        return first

    async def _patience(self, timeout: float) -> float:
        """How long to wait for records, in seconds.

        Faust skips partitions whose queue is full, and while it waits for the others it does not
        notice that there is room again. So with records at hand the wait is short.
        """
        while self._buffered_partitions and not (self._get_active_partitions() or self.should_stop):
            await asyncio.sleep(FULL_WAIT_SECONDS)
        return FULL_WAIT_SECONDS if self._buffered_partitions else timeout

    def _follows(self, tp: TP, fetched: list[Any]) -> bool:
        """Whether the records were fetched after the last seek; earlier ones are fetched again.

        Decided by the first offset, because a fetch may overlap the whole claim.
        """
        if self._awaited is None or self._awaited.get(tp, fetched[0].offset) != fetched[0].offset:
            return False
        self._awaited.pop(tp, None)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Does nothing: Faust would keep every fetch's offsets in a tree, which took half of a
        worker's time.
        """

    def _new_offset(self, tp: TP) -> int | None:
        """The offset committed to Kafka, for monitoring tools only; reading never starts
        from it.
        """
        handled = self._acked[tp]
        if not handled:
            return None
        newest: int = max(handled)
        handled.clear()
        self._acked_index[tp].clear()
        return newest + 1

    async def seek_to_committed(self) -> Mapping[TP, int]:
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
