"""Converts instants: stored as microseconds since the epoch, shown as RFC 3339.

An instant in an answer is in the years 1 to 9999 in UTC, the range of RFC 3339. A computed instant
after that counts as never.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_WANTED = (
    "must be a time with an offset as in RFC 3339, such as 2026-11-20T18:00:00+09:00"
    " or 2026-11-20T09:00:00Z (in a URL, + is written %2B)"
)


def micros(at: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z; a time without offset is taken as UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


FIRST, LAST = (micros(end.replace(tzinfo=UTC)) for end in (datetime.min, datetime.max))
"""The first and the last instant of RFC 3339, in microseconds since the epoch."""


def instant(at: int) -> datetime:
    """Converts microseconds since the epoch to a datetime in UTC.

    Raises `OverflowError` outside `FIRST` to `LAST`. Stored instants are in the years 1900 to 2199;
    check computed ones with `bounded` first.
    """
    return _EPOCH + timedelta(microseconds=at)


def bounded(at: int) -> int | None:
    """A computed instant, or None (never) if it is after the year 9999."""
    return at if at <= LAST else None


def written(at: datetime) -> str:
    """The time as RFC 3339 text in UTC with a Z, as in all answers."""
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
        reason = "is not a time that exists (RFC 3339, years 0001 to 9999)"
        raise PydanticCustomError("rfc_3339", reason) from None
    if not FIRST <= micros(found) <= LAST:
        raise PydanticCustomError("rfc_3339", "must be in the years 0001 to 9999 in UTC")
    return found


Moment = Annotated[
    datetime, BeforeValidator(_asked), Field(description="A time in RFC 3339, with an offset.")
]
"""The type of an instant in a request: of a query parameter, or of a field in a body."""


def _asked_day(value: Any) -> date:
    """Pydantic alone would also take seconds since 1970 and midnights for a date."""
    if type(value) is date:
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise PydanticCustomError("day", "must be a day as YYYY-MM-DD, such as 2026-11-20")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("day", "is not a day that exists (YYYY-MM-DD)") from None


CalendarDate = Annotated[
    date, BeforeValidator(_asked_day), Field(description="A day as YYYY-MM-DD.")
]
"""The type of a day in a request."""
