"""What does a record say, by itself? An event, or the reason why it is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas.wire import codec
from services.verify.log import LogRecord, Place


@dataclass(slots=True)
class Opened:
    """One record: its event and what tells it from others, or why it cannot be read."""

    place: Place
    record: LogRecord
    event: Any = None
    event_id: bytes | None = None
    hash: int = 0
    schema_id: int = 0


def opened(place: Place, record: LogRecord) -> Opened:
    """The record's event, unless the record breaks the contract of its topic."""
    found = Opened(place, record)
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
