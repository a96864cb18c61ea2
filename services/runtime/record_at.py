"""Reads single records by topic, partition and offset, outside any consumer group."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.wire import sameness
from services.runtime.logging import log

# no record at this offset, or no such partition
_GONE = (
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
POLL_SECONDS = 0.5
NEAR = 200  # offsets: reading so many records takes as long as one new fetch


class KafkaSilent(Exception):
    """Kafka did not return the record in time, or is unreachable."""


def same_as_first(later: bytes, placed: RecordReader, first: tuple[str, int, int]) -> bool:
    """Whether a record equals the first record with its event id, without the fields that the
    gateway fills in, and whatever form codes were appended in.

    `later`: the record's value; `first`: topic, partition and offset of the first record. Raises
    KafkaSilent when it cannot be read.
    """
    value = placed.value(*first)
    return value is not None and sameness.same_as_produced(value, later)


def _runs(offsets: Sequence[int]) -> list[list[int]]:
    """Groups ascending offsets, so that in a group reading on is faster than another fetch."""
    runs: list[list[int]] = []
    for offset in offsets:
        if runs and offset - runs[-1][-1] <= NEAR:
            runs[-1].append(offset)
        else:
            runs.append([offset])
    return runs


class RecordReader:
    """Reads single records; connects on first use. Not thread-safe."""

    def __init__(self, kafka: str, patience: float = 5.0) -> None:
        """`patience`: timeout in seconds for one record."""
        self._kafka, self._patience = kafka, patience
        self._consumer: Consumer | None = None

    def value(self, topic: str, partition: int, offset: int) -> bytes | None:
        """The record's value; None when it is null or there is no record at this offset.

        Raises KafkaSilent.
        """
        until, place = time.monotonic() + self._patience, TopicPartition(topic, partition, offset)
        try:
            consumer = self._connected()
            consumer.assign([place])
            while time.monotonic() < until:
                record = consumer.poll(POLL_SECONDS)
                error = record.error() if record is not None else None
                if error is not None and error.code() in _GONE:
                    return None
                if record is not None and error is None:
                    return record.value() if record.offset() == offset else None
                first, end = consumer.get_watermark_offsets(place, POLL_SECONDS)
                if not first <= offset < end:
                    return None
        except KafkaException as error:
            if error.args[0].code() in _GONE:
                return None
            log.warning("record_not_read", topic=topic, partition=partition, offset=offset)
            raise KafkaSilent from error
        finally:
            if self._consumer is not None:
                self._consumer.unassign()
        log.warning("record_not_read", topic=topic, partition=partition, offset=offset)
        raise KafkaSilent

    def values(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, bytes | None]:
        """The values at these ascending offsets; offsets near each other are read together.

        None where there is no record. Raises KafkaSilent.
        """
        found = dict.fromkeys(offsets, None) if offsets else dict[int, bytes | None]()
        for run in _runs(offsets):
            if len(run) == 1:
                found[run[0]] = self.value(topic, partition, run[0])
            else:
                found.update(self._run(topic, partition, run))
        return found

    def _run(self, topic: str, partition: int, run: Sequence[int]) -> dict[int, bytes | None]:
        found: dict[int, bytes | None] = {}
        until, wanted = time.monotonic() + self._patience, deque[int]()
        try:
            consumer = self._connected()
            place = TopicPartition(topic, partition, run[0])
            consumer.assign([place])
            first, end = consumer.get_watermark_offsets(place, self._patience)
            wanted.extend(offset for offset in run if first <= offset < end)
            while wanted and time.monotonic() < until:
                record = consumer.poll(POLL_SECONDS)
                error = record.error() if record is not None else None
                if error is not None and error.code() in _GONE:
                    return found
                offset = record.offset() if record is not None and error is None else None
                if record is None or offset is None:
                    continue
                until = time.monotonic() + self._patience
                if offset == wanted[0]:
                    found[offset] = record.value()
                while wanted and wanted[0] <= offset:
                    wanted.popleft()
        except KafkaException as error:
            if error.args[0].code() in _GONE:
                return found
            raise KafkaSilent from error
        finally:
            if self._consumer is not None:
                self._consumer.unassign()
        if wanted:
            log.warning("record_not_read", topic=topic, partition=partition, offset=wanted[0])
            raise KafkaSilent
        return found

    def close(self) -> None:
        """Closes the connections."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _connected(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                {
                    "bootstrap.servers": self._kafka,
                    "group.id": "hitotsu-placed",
                    "enable.auto.commit": False,
                    "auto.offset.reset": "error",
                    # short: the client sends another fetch before it returns the record, and
                    # the next record would have to wait for the end of that fetch
                    "fetch.wait.max.ms": 10,
                    # only one record is needed, not those after it
                    "fetch.message.max.bytes": 300_000,
                    "queued.max.messages.kbytes": 512,
                    "log_level": 2,
                }
            )
        return self._consumer
