"""Reads topics between two positions, with librdkafka and without a consumer group.

Partitions are read without gaps up to a given offset; records fetched beyond it are kept for the
next read. It shares no code with the projector's consumer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

Place = tuple[str, int]
PATIENCE = 60.0  # seconds
_LASTING = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)


class LogRecord(NamedTuple):
    """A record; its timestamp is in milliseconds since the epoch."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: Sequence[tuple[str, bytes]] = ()


class LogUnreadable(Exception):
    """Kafka does not answer, or lacks records that should be there; the text says which."""


class Log:
    """Reads the partitions in `starts` from these offsets.

    `positions`: the next offset to read, by partition.
    """

    def __init__(self, kafka: str, starts: Mapping[Place, int]) -> None:
        self.positions = dict(starts)
        self._kafka = kafka
        self._held: dict[Place, deque[LogRecord]] = {place: deque() for place in starts}
        self._paused: set[Place] = set()
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": "hitotsu-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": False,
                "auto.offset.reset": "error",
                "queued.max.messages.kbytes": 32_768,
                "fetch.message.max.bytes": 4_194_304,
                "log_level": 2,
            }
        )
        self._consumer.assign([TopicPartition(*place, at) for place, at in starts.items()])

    def close(self) -> None:
        """Closes the connections."""
        self._consumer.close()

    def check_beginning(self) -> None:
        """Raises `LogUnreadable` if a partition no longer begins at offset 0, or Kafka does not say
        where it begins.
        """
        earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(*place): earliest for place in self.positions}
        admin = AdminClient({"bootstrap.servers": self._kafka, "log_level": 2})
        try:
            answers = admin.list_offsets(asked, request_timeout=PATIENCE)
            begins = {(at.topic, at.partition): one.result().offset for at, one in answers.items()}
        except KafkaException as error:
            raise LogUnreadable(f"Kafka did not return the beginning offsets: {error}") from error
        for (topic, partition), first in sorted(begins.items()):
            if first > 0:
                raise LogUnreadable(
                    f"{topic}-{partition} begins at offset {first}: earlier records were deleted"
                )

    def left(self, ends: Mapping[Place, int]) -> int:
        """Number of offsets still to be read before `ends`."""
        return sum(max(0, ends.get(place, 0) - at) for place, at in self.positions.items())

    def read(self, ends: Mapping[Place, int], many: int = 10_000) -> dict[Place, list[LogRecord]]:
        """The next records before `ends`, about `many` at most; empty if there are none left.

        Raises `LogUnreadable` if records are missing, or Kafka returns none for `PATIENCE` seconds.
        """
        deadline = time.monotonic() + PATIENCE
        while self.left(ends):
            found = self._kept(ends) or self._fetched(ends, many)
            if found:
                return found
            if time.monotonic() > deadline:
                raise LogUnreadable(f"Kafka returned no record for {PATIENCE:.0f} s")
        return {}

    def _kept(self, ends: Mapping[Place, int]) -> dict[Place, list[LogRecord]]:
        found: dict[Place, list[LogRecord]] = {}
        for place, held in self._held.items():
            end = ends.get(place, 0)
            while held and held[0].offset < end:
                self._take(place, held.popleft(), found)
        woken = {
            place
            for place in self._paused
            if not self._held[place] and self.positions[place] < ends.get(place, 0)
        }
        if woken:
            self._consumer.resume([TopicPartition(*place) for place in woken])
            self._paused -= woken
        return found

    def _fetched(self, ends: Mapping[Place, int], many: int) -> dict[Place, list[LogRecord]]:
        found: dict[Place, list[LogRecord]] = {}
        beyond: set[Place] = set()
        # not more than there are: `consume` would wait its whole timeout for the rest
        for message in self._consumer.consume(min(many, self.left(ends)), 0.5):
            error = message.error()
            if error is not None:
                _judge(error, message)
                continue
            place = (str(message.topic()), int(message.partition() or 0))
            headers: Any = message.headers() or ()  # the client's type knows two more shapes
            record = LogRecord(
                int(message.offset() or 0), message.key(), message.value(),
                message.timestamp()[1], headers,
            )  # fmt: skip
            if record.offset < ends.get(place, 0):
                self._take(place, record, found)
            else:
                self._held[place].append(record)
                beyond.add(place)
        if beyond - self._paused:
            self._consumer.pause([TopicPartition(*place) for place in beyond - self._paused])
            self._paused |= beyond
        return found

    def _take(self, place: Place, record: LogRecord, found: dict[Place, list[LogRecord]]) -> None:
        if record.offset != self.positions[place]:
            raise LogUnreadable(
                f"{place[0]}-{place[1]}: expected offset {self.positions[place]},"
                f" got {record.offset}: records are missing from the log"
            )
        self.positions[place] = record.offset + 1
        found.setdefault(place, []).append(record)


def _judge(error: Any, message: Any) -> None:
    """Raises LogUnreadable for a lasting error; ignores an error after which the client retries."""
    if error.fatal() or error.code() in _LASTING:
        raise LogUnreadable(
            f"{message.topic() or 'Kafka'}-{message.partition()}: {error.str()}"
        ) from KafkaException(error)
