"""Instants: microseconds since the epoch internally, RFC 3339 for readers.

An instant that a reader sees is in the years 1 to 9999 in UTC, the range of RFC 3339. A computed
instant beyond that is treated as never.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_WANTED = (
    "must be a time with its offset as RFC 3339 has it, such as 2026-11-20T18:00:00+09:00"
    " or 2026-11-20T09:00:00Z (in an address + is written %2B)"
)


def micros(at: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z; a time without offset is taken as UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


FIRST, LAST = (micros(end.replace(tzinfo=UTC)) for end in (datetime.min, datetime.max))
"""The first and the last instant of RFC 3339, in microseconds."""


def instant(at: int) -> datetime:
    """The instant with so many microseconds since the epoch, in UTC.

    For stored instants (years 1900 to 2199). Computed ones go through `bounded` first; outside
    `FIRST` to `LAST` it raises `OverflowError`.
    """
    return _EPOCH + timedelta(microseconds=at)


def bounded(at: int) -> int | None:
    """A computed end; None (never) when it is later than the year 9999."""
    return at if at <= LAST else None


def written(at: datetime) -> str:
    """RFC 3339 in UTC with a Z, as in every answer."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _asked(value: Any) -> datetime:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise PydanticCustomError("rfc_3339", _WANTED)
    head, dot, rest = value.upper().partition(".")
    if dot:
        digits = re.match(r"\d+", rest)
        count = digits.end() if digits else 0
        head = f"{head}.{rest[: min(count, 6)]:0<6}{rest[count:]}"
    try:
        found = datetime.fromisoformat(head)
    except ValueError:
        reason = "is no time that exists (a year from 0001 to 9999, RFC 3339)"
        raise PydanticCustomError("rfc_3339", reason) from None
    if not FIRST <= micros(found) <= LAST:
        raise PydanticCustomError("rfc_3339", "must lie in the years 0001 to 9999 in UTC")
    return found


Moment = Annotated[
    datetime, BeforeValidator(_asked), Field(description="RFC 3339, with its offset.")
]
"""An instant in a request: a query parameter, or a field of a body."""
