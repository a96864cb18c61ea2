"""What is in the log? Read with another client library, judged without the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.faults.wire import DEAD_LETTERS, KEYS, Record, Unreadable, Wire

Place = tuple[str, int]
VERDICTS = ("applied", "duplicate", "conflict", "dead_letter")


@dataclass(slots=True)
class Read:
    """One record of the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


@dataclass
class Judged:
    """What must have become of the log."""

    counts: dict[Place, Counter[str]] = field(default_factory=dict)
    applied: list[tuple[Read, str, Record]] = field(default_factory=list)
    dead: dict[tuple[str, int, int], tuple[str, bytes | None, bytes | None]] = field(
        default_factory=dict
    )


def ends(kafka: str) -> dict[Place, int]:
    """The end of every partition."""
    consumer = _consumer(kafka)
    try:
        return {
            (place.topic, place.partition): consumer.get_watermark_offsets(place, timeout=20)[1]
            for place in _places(consumer)
        }
    finally:
        consumer.close()


def judge(kafka: str) -> Judged:
    """Every record of every topic, with the verdict that it must have got."""
    wire, judged = Wire(), Judged()
    bodies: dict[bytes, bytes] = {}
    for read in records(kafka):
        place = (read.topic, read.partition)
        counts = judged.counts.setdefault(place, Counter())
        try:
            name, record = wire.decode(read.value)
            if wire.topics[name] != read.topic or wire.key(name, record) != read.key:
                raise Unreadable("not here")
        except Unreadable:
            counts["dead_letter"] += 1
            judged.dead[read.topic, read.partition, read.offset] = ("decode", read.key, read.value)
            continue
        assert read.value is not None
        body = read.value[1:]
        first = bodies.setdefault(record["meta"]["event_id"], body)
        if first is body:
            counts["applied"] += 1
            judged.applied.append((read, name, record))
        elif first == body:
            counts["duplicate"] += 1
        else:
            counts["conflict"] += 1
            where = (read.topic, read.partition, read.offset)
            judged.dead[where] = ("conflict", read.key, read.value)
    return judged


def records(kafka: str) -> Iterator[Read]:
    """Each partition from its beginning to its present end."""
    consumer = _consumer(kafka)
    try:
        for place in _places(consumer):
            end = consumer.get_watermark_offsets(place, timeout=20)[1]
            yield from _partition(consumer, place, end)
    finally:
        consumer.close()


def _partition(consumer: Consumer, place: TopicPartition, end: int) -> Iterator[Read]:
    if not end:
        return
    consumer.assign([TopicPartition(place.topic, place.partition, 0)])
    offset: int = -1
    while offset < end - 1:
        # it waits until it has as many as it was asked for
        for message in consumer.consume(min(5_000, end - 1 - offset), timeout=20):
            if message.error():
                raise KafkaException(message.error())
            offset = int(message.offset() or 0)
            yield Read(place.topic, place.partition, offset, message.key(), message.value())


def _consumer(kafka: str) -> Consumer:
    settings: dict[str, Any] = {
        "bootstrap.servers": kafka, "group.id": "oracle", "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }  # fmt: skip
    return Consumer(settings)


def _places(consumer: Consumer) -> list[TopicPartition]:
    topics = consumer.list_topics(timeout=20).topics
    return [
        TopicPartition(name, number)
        for name in (*KEYS, DEAD_LETTERS)
        for number in sorted(topics[name].partitions)
    ]
