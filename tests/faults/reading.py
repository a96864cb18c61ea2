"""What is in the log? Read with another client library, judged without the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.faults import unstorable
from tests.faults.wire import DEAD_LETTERS, KEYS, Record, Unreadable, Wire

Place = tuple[str, int]
SALE = "PurchaseCompleted"
VERDICTS = ("applied", "duplicate", "conflict", "dead_letter")


@dataclass(slots=True)
class Read:
    """One record of the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = 4_102_444_800_000
    """When the broker took it, in milliseconds; 2100 where a test does not say."""


@dataclass
class Judged:
    """What must have become of the log."""

    counts: dict[Place, Counter[str]] = field(default_factory=dict)
    applied: list[tuple[Read, str, Record]] = field(default_factory=list)
    dead: dict[tuple[str, int, int], tuple[str, bytes | None, bytes | None]] = field(
        default_factory=dict
    )
    verdicts: dict[Place, list[str]] = field(default_factory=dict)
    """Of each partition, in offset order."""
    ids: dict[Place, list[bytes | None]] = field(default_factory=dict)
    """The ids of the same records."""
    unordered: set[bytes | None] = field(default_factory=set)
    """Ids that are in two partitions: nobody says which record comes first."""


def ends(kafka: str, timeout: float = 20) -> dict[Place, int]:
    """The end of every partition."""
    consumer = _consumer(kafka)
    try:
        return {
            (place.topic, place.partition): consumer.get_watermark_offsets(place, timeout=timeout)[
                1
            ]
            for place in _places(consumer, timeout)
        }
    finally:
        consumer.close()


def judge(kafka: str) -> Judged:
    """Every record of every topic, with the verdict that it must have got."""
    return judge_reads(records(kafka))


def judge_reads(reads: Iterable[Read]) -> Judged:
    """Records in the order of each partition; partitions one after the other.

    The first record of an id that can be stored is applied; what follows is a resend or a
    conflict. One that cannot be stored leaves no trace but its dead letter. A sale is one document
    under whichever ids: the first that can be stored is applied; another with its content is a
    duplicate and its id is known, one with other content is a conflict.
    """
    wire, judged = Wire(), Judged()
    bodies: dict[bytes, tuple[bytes, Place]] = {}
    sales: dict[bytes, tuple[object, Place]] = {}
    for read in reads:
        place = (read.topic, read.partition)
        verdict, stage, body = "dead_letter", "decode", (read.value or b"")[1:]
        event_id: bytes | None = None
        try:
            name, record = wire.decode(read.value)
            if wire.topics[name] != read.topic or wire.key(name, record) != read.key:
                raise Unreadable("not here")
        except Unreadable:
            pass
        else:
            event_id = record["meta"]["event_id"]
            assert event_id is not None
            first = bodies.get(event_id)
            if first is not None:
                verdict = stage = "duplicate" if first[0] == body else "conflict"
                if first[1] != place:
                    judged.unordered.add(event_id)
            elif name == SALE and record["transaction_id"] in sales:
                content, where = sales[record["transaction_id"]]
                verdict = stage = "duplicate" if content == content_of(record) else "conflict"
                if verdict == "duplicate":
                    bodies[event_id] = (body, place)
                if where != place:
                    judged.unordered |= {event_id, *_ids_of(judged, record["transaction_id"])}
            elif unstorable.refused(name, record):
                stage = "store"
            else:
                verdict, bodies[event_id] = "applied", (body, place)
                if name == SALE:
                    sales[record["transaction_id"]] = (content_of(record), place)
                judged.applied.append((read, name, record))
        if verdict in ("dead_letter", "conflict"):
            judged.dead[read.topic, read.partition, read.offset] = (stage, read.key, read.value)
        judged.counts.setdefault(place, Counter())[verdict] += 1
        judged.verdicts.setdefault(place, []).append(verdict)
        judged.ids.setdefault(place, []).append(event_id)
    return judged


def content_of(sale: Record) -> object:
    """What makes two tellings of one sale the same, whatever else differs."""
    lines = Counter((line["sku"], line["quantity"], line["net_paid"]) for line in sale["lines"])
    return sale["currency"], sale["total"], lines


def _ids_of(judged: Judged, transaction_id: bytes) -> set[bytes | None]:
    """The ids under which a sale was applied."""
    return {
        record["meta"]["event_id"]
        for _, name, record in judged.applied
        if name == SALE and record["transaction_id"] == transaction_id
    }


def records(kafka: str) -> Iterator[Read]:
    """Each partition from its beginning to its present end."""
    consumer = _consumer(kafka)
    found: dict[Place, list[Read]] = {}
    try:
        wanted, left, ends_at = [], 0, dict[Place, int]()
        for place in _places(consumer):
            end = consumer.get_watermark_offsets(place, timeout=20)[1]
            if end:
                wanted.append(TopicPartition(place.topic, place.partition, 0))
                found[place.topic, place.partition] = []
                left += end
                ends_at[place.topic, place.partition] = end
        consumer.assign(wanted)
        while left > 0:
            # it waits until it has as many as it was asked for
            for message in consumer.consume(min(5_000, left), timeout=20):
                if message.error():
                    raise KafkaException(message.error())
                topic, partition = str(message.topic()), int(message.partition() or 0)
                key, value, offset = message.key(), message.value(), int(message.offset() or 0)
                if offset < ends_at[topic, partition]:
                    more: Any = (message.headers() or (), message.timestamp()[1])
                    read = Read(topic, partition, offset, key, value, *more)
                    found[topic, partition].append(read)
                    left -= 1
    finally:
        consumer.close()
    for reads in found.values():
        yield from reads


def _consumer(kafka: str) -> Consumer:
    settings: dict[str, Any] = {
        "bootstrap.servers": kafka, "group.id": "oracle", "enable.auto.commit": False,
        "auto.offset.reset": "earliest", "log_level": 0,
    }  # fmt: skip
    return Consumer(settings)


def _places(consumer: Consumer, timeout: float = 20) -> list[TopicPartition]:
    topics = consumer.list_topics(timeout=timeout).topics
    return [
        TopicPartition(name, number)
        for name in (*KEYS, DEAD_LETTERS)
        for number in sorted(topics[name].partitions)
    ]
