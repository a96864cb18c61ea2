"""Reads a topic's records and formats them for display."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from schemas.wire.codec import Undecodable, decode
from schemas.wire.display import append_time, readable

Shown = Callable[[ConsumerRecord], None]


class CannotRead(Exception):
    """Kafka does not answer, has no such topic, or reports another error; the text says which."""


async def follow(servers: str, topic: str, start: str, limit: int | None, show: Shown) -> None:
    """Passes each of the topic's records to `show` as it arrives, without a consumer group.

    `start`: "beginning" or "end". Stops after `limit` records; None: never. Raises `CannotRead`.
    """
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if start == "beginning" else "latest",
        request_timeout_ms=10_000,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # errors: only as CannotRead
    try:
        await consumer.start()
        left = limit
        while left is None or left > 0:
            fetched = await consumer.getmany(timeout_ms=500, max_records=left)
            for records in fetched.values():
                for record in records:
                    show(record)
                if left is not None:
                    left -= len(records)
    except UnknownTopicOrPartitionError:
        raise CannotRead(f"Kafka at {servers} has no topic {topic}") from None
    except (KafkaError, OSError) as error:
        raise CannotRead(f"Kafka at {servers} cannot be read: {error!r}") from None
    finally:
        await consumer.stop()


def as_json(record: ConsumerRecord) -> str:
    """One record as a line of JSON."""
    return json.dumps(_told(record), ensure_ascii=False)


def as_text(record: ConsumerRecord) -> str:
    """One record as two lines of text; one line if it cannot be decoded."""
    told = _told(record)
    head = f"{told['appended_at']}  {record.topic}-{record.partition}@{record.offset}"
    if "undecodable" in told:
        return f"{head}  cannot be read: {told['undecodable']}"
    event = told["event"]
    body = {key: value for key, value in event.items() if key != "type" and value is not None}
    return f"{head}  {event['type']}\n    {json.dumps(body, ensure_ascii=False)}"


def _told(record: ConsumerRecord) -> dict[str, Any]:
    told = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "appended_at": append_time(record.timestamp),
        "key": record.key.hex() if record.key is not None else None,
    }
    try:
        return {**told, "event": readable(decode(record.value))}
    except Undecodable as error:
        return {**told, "undecodable": error.reason}
