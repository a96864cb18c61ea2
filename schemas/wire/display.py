"""Formats events as readable JSON: ids, times and dates as text, without personal values."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from schemas.declarations import Description, Field, RecordType, describe
from schemas.generated.events import Event
from schemas.generated.records import TO_RECORD
from schemas.wire.bounds import EPOCH

SEALED = "<sealed>"
_FIRST_DAY = date(1970, 1, 1)


def readable(event: Event) -> dict[str, Any]:
    """The event as JSON values, `type` first; personal values are shown as `SEALED`."""
    description = _description()
    record = TO_RECORD[event.NAME](event)
    return {"type": event.NAME, **_record(description, description.events[event.NAME], record)}


def time_text(micros: int) -> str:
    """A time in microseconds since the epoch as RFC 3339 text."""
    return (EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def append_time(millis: int) -> str:
    """A Kafka timestamp (milliseconds since the epoch) as RFC 3339 text."""
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


@cache
def _description() -> Description:
    return describe()


def _record(description: Description, kind: RecordType, record: dict[str, Any]) -> dict[str, Any]:
    return {field.name: _value(description, field, record[field.name]) for field in kind.fields}


def _value(description: Description, field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.of in description.parts:
        part = description.parts[str(field.of)]
        if field.shape == "array":
            return [_record(description, part, item) for item in value]
        return _record(description, part, value)
    if field.item == "id":
        return [str(UUID(bytes=item)) for item in value]
    if field.pii:
        return SEALED
    if field.meaning == "instant":
        return time_text(value)
    if field.meaning == "date":
        return (_FIRST_DAY + timedelta(days=value)).isoformat()
    if field.shape == "id":
        return str(UUID(bytes=value))
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else value
