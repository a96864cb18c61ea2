"""Ranges of numbers, times and dates, and checks of them, for intake and for decoded bytes."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EARLIEST = (datetime(1900, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
LATEST = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
FIRST_DAY = EARLIEST // 86_400_000_000
LAST_DAY = LATEST // 86_400_000_000
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
AMOUNT_MAX = 10**15
BODY_MAX = 256 * 1024


def small(value: int) -> int:
    """Returns the value; ValueError unless it fits 32 bits (Avro varints may be longer)."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise ValueError("a number does not fit its 32 bits")


def instant(value: int) -> int:
    """Returns the value (microseconds since the epoch); ValueError outside 1900 to 2199."""
    if EARLIEST <= value < LATEST:
        return value
    raise ValueError("a time lies before 1900 or after 2199")


def day(value: int) -> int:
    """Checks days since the epoch: the years 1900 to 2199."""
    if FIRST_DAY <= value < LAST_DAY:
        return value
    raise ValueError("a date lies before 1900 or after 2199")
