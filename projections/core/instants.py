"""How are instants written? Microseconds since the epoch inside, RFC 3339 for readers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000


def micros(at: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z; a time without offset is taken as UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    """The instant of so many microseconds since the epoch, in UTC."""
    return _EPOCH + timedelta(microseconds=at)
