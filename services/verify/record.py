"""Decodes one record: its event, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas.wire import codec
from services.verify.log import LogRecord, Place


@dataclass(slots=True)
class DecodedRecord:
    """A decoded record: its event and identity, or the reason why it cannot be decoded."""

    place: Place
    record: LogRecord
    event: Any = None
    event_id: bytes | None = None
    hash: int = 0
    schema_id: int = 0


def decode(place: Place, record: LogRecord) -> DecodedRecord:
    """The record's event, or the way in which the record breaks its topic's contract."""
    found = DecodedRecord(place, record)
    value = record.value
    try:
        event: Any = codec.decode(value)
    except codec.Undecodable:
        return found
    assert value is not None
    found.event_id, found.hash = event.meta.event_id, codec.body_hash(value)
    found.schema_id = codec.schema_id(value)
    if place[0] == event.TOPIC and codec.key_of(event) == record.key:
        found.event = event
    return found
