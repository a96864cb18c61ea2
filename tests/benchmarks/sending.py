"""How do the events get into the topics? At full speed, keyed and headed as the product does."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.topics import TOPICS
from services.runtime.producer import KafkaRecord

PATIENCE_SECONDS = 60.0


class NotSent(Exception):
    """The broker did not take an event, or a topic did not come or go."""


def producer(kafka: str, linger_ms: int = 20) -> Producer:
    """librdkafka, placing keys as the product's own client does."""
    return Producer(
        {
            "bootstrap.servers": kafka, "acks": "all", "enable.idempotence": True,
            "compression.type": "lz4", "linger.ms": linger_ms, "batch.size": 1 << 18,
            "partitioner": "murmur2_random", "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
        }
    )  # fmt: skip


def send(kafka: str, records: Sequence[KafkaRecord], prefix: str = "") -> None:
    """Appends them all and returns when the broker has every one; `prefix` names other topics."""
    failed: list[KafkaError] = []

    def told(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(error)

    to = producer(kafka)
    for number, record in enumerate(records):
        topic = prefix + record.topic
        to.produce(topic, record.value, record.key, headers=record.headers, on_delivery=told)
        if number % 1_000 == 0:
            to.poll(0)
    left = to.flush(PATIENCE_SECONDS)
    if failed or left:
        raise NotSent(f"{left} without an answer; {failed[:1]}")


def create(kafka: str, names: Iterable[str], prefix: str) -> None:
    """Topics beside the product's, with as many partitions."""
    wanted = [NewTopic(prefix + name, TOPICS[name].partitions, 1) for name in names]
    admin = _admin(kafka)  # what it promises is void once it is gone
    for made in admin.create_topics(wanted).values():
        made.result()


def remove_all(kafka: str) -> None:
    """Every topic of the product and of the peers goes; returns when none is left."""
    admin = _admin(kafka)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while names := [name for name in admin.list_topics(timeout=20).topics if "commerce." in name]:
        for gone in admin.delete_topics(names).values():
            error = gone.exception()
            if error is not None and time.monotonic() > deadline:
                raise NotSent(f"topics stay: {error}")
        time.sleep(0.1)


def partitions(kafka: str) -> int:
    """How many partitions the product's topics have, as Kafka tells."""
    there = _admin(kafka).list_topics(timeout=20).topics
    return sum(
        len(topic.partitions) for name, topic in there.items() if name.startswith("commerce.")
    )


def _admin(kafka: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka})
