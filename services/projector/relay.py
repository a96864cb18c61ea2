"""Publishes dead letters: copies rows of `dead_letter` to a Kafka topic, at least once.

Dead letters of that topic itself are not published. The event id derives from the record's topic,
partition and offset, so a second copy is recognised as a resend.
"""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import unquote
from uuid import NAMESPACE_URL, uuid5

import psycopg
from aiokafka import AIOKafkaProducer
from psycopg.rows import dict_row

from schemas.generated.events import DeadLettered
from schemas.generated.events.parts import Meta, Producer
from schemas.topics import DEAD_LETTERS
from schemas.wire.codec import Undecodable, decode, encode, headers_of, key_of
from services.runtime.db import conninfo
from services.runtime.logging import log
from services.runtime.metrics import RELAYED

AT_ONCE = 200
DUE = """
select id, topic, partition, "offset", stage, error_class, reason, record_key, record_value,
    headers, (extract(epoch from appended_at) * 1000000)::bigint as appended_at
from dead_letter where not relayed order by id limit %s for update skip locked
"""
VALUE_MAX, KEY_MAX, TEXT_MAX = 200_000, 1_000, 200
"""Maximum bytes (texts: characters) in the published copy, so that it fits Kafka's record size; the
table has the full record.
"""
Text = TypeVar("Text", str, str | None)


class DeadLetterRelay:
    """A thread that looks for new dead letters every second and publishes them."""

    def __init__(self, dsn: str, kafka: str) -> None:
        self._dsn = dsn
        self._kafka = kafka
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()), name="relay", daemon=True
        )

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    async def _run(self) -> None:
        producer: AIOKafkaProducer | None = None
        while True:
            await asyncio.sleep(1.0)
            try:
                if producer is None:
                    producer = AIOKafkaProducer(
                        bootstrap_servers=self._kafka,
                        acks="all",
                        enable_idempotence=True,
                        request_timeout_ms=10_000,
                    )
                    await asyncio.wait_for(producer.start(), 10)
                while await self._relay(producer) == AT_ONCE:
                    pass
            except Exception as error:  # Kafka or Postgres is away: the rows stay for a later round
                log.warning("dead_letter_relay_retries", error=type(error).__name__)
                if producer is not None:
                    await asyncio.wait({asyncio.ensure_future(producer.stop())}, timeout=2)
                    producer = None

    async def _relay(self, producer: AIOKafkaProducer) -> int:
        info = conninfo(self._dsn, name="hitotsu-relay")
        async with await psycopg.AsyncConnection.connect(info, row_factory=dict_row) as connection:
            rows = await (await connection.execute(DUE, [AT_ONCE])).fetchall()
            sends = []
            for row in rows:
                if row["topic"] == DEAD_LETTERS:
                    continue  # a dead letter about a dead letter might fail again, without end
                event = letter(row)
                sends.append(
                    await producer.send(
                        DEAD_LETTERS, encode(event), key_of(event), headers=headers_of(event)
                    )
                )
            await asyncio.wait_for(asyncio.gather(*sends), 20)
            await connection.execute(
                "update dead_letter set relayed = true where id = any(%s)",
                [[r["id"] for r in rows]],
            )
        RELAYED.inc(len(sends))
        return len(rows)


def letter(row: dict[str, Any]) -> DeadLettered:
    """The event for a row of `dead_letter`; its id derives from topic, partition and offset."""
    place = f"{row['topic']}-{row['partition']}-{row['offset']}"
    meta = Meta(
        event_id=uuid5(NAMESPACE_URL, f"hitotsu:dead-letter:{place}").bytes,
        occurred_at=row["appended_at"],
        producer=_producer(row),
    )
    key, value = row["record_key"], row["record_value"]
    return DeadLettered(
        meta=meta,
        source_topic=row["topic"],
        source_partition=row["partition"],
        source_offset=row["offset"],
        stage=row["stage"],
        error_class=row["error_class"],
        reason=row["reason"],
        record_key=key if key is None else key[:KEY_MAX],
        record_value=value if value is None else value[:VALUE_MAX],
    )


def _producer(row: dict[str, Any]) -> Producer:
    """The producer of the dead letter's record: from its event, or if that cannot be decoded, from
    its headers; `unknown` if these have none.
    """
    try:
        return _short(decode(row["record_value"]).meta.producer)
    except Undecodable:
        pass
    headers = row["headers"] if isinstance(row["headers"], list) else json.loads(row["headers"])
    found = {
        name: bytes.fromhex(value).decode("utf-8", "replace") for name, value in headers if value
    }
    parts = [unquote(part) for part in found.get("ce_source", "").split("/")[1:]]
    epoch = _number(parts[3]) if len(parts) == 4 else None
    if epoch is None:
        return Producer(system="unknown", channel="OTHER")
    return _short(
        Producer(
            system=parts[0] or "unknown",
            channel="OTHER",
            store_id=None if parts[1] == "-" else parts[1],
            terminal_id=None if parts[2] == "-" else parts[2],
            terminal_epoch=min(epoch, 2**31 - 1),
            terminal_sequence=_number(found.get("ce_sequence", "")),
        )
    )


def _number(text: str) -> int | None:
    """Parses a header as a number; None unless it is 1 to 18 ASCII digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _short(producer: Producer) -> Producer:
    return replace(
        producer,
        system=_text(producer.system),
        store_id=_text(producer.store_id),
        terminal_id=_text(producer.terminal_id),
    )


def _text(text: Text) -> Text:
    """Truncates a text, and replaces NUL, which Postgres cannot store."""
    return text if text is None else text.replace("\0", "\ufffd")[:TEXT_MAX]
