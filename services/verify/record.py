"""Decodes one record to its event as it is folded, if it has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas.wire import codec
from schemas.wire.documents import Document, document_of
from schemas.wire.effective import effective_event
from services.verify.log import LogRecord, Place


@dataclass(slots=True)
class DecodedRecord:
    """A record and its event.

    `event` is None for a dead letter: undecodable (then `event_id` is None too), or with another
    topic or key than the event requires.
    """

    place: Place
    record: LogRecord
    event: Any = None
    event_id: bytes | None = None
    hash: int = 0
    schema_id: int = 0
    document: Document | None = None


def decode(place: Place, record: LogRecord) -> DecodedRecord:
    """Decodes the record; `event` stays None if it breaks its topic's contract."""
    found = DecodedRecord(place, record)
    value = record.value
    try:
        event: Any = effective_event(codec.decode(value), record.headers, record.timestamp)
    except codec.Undecodable:
        return found
    assert value is not None
    found.event_id, found.hash = event.meta.event_id, codec.body_hash(value)
    found.schema_id = codec.schema_id(value)
    if place[0] == event.TOPIC and codec.is_key_of(event, record.key):
        found.event = event
        found.document = document_of(event)
    return found
