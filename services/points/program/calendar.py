"""When are points active, and when are they over? At midnight, in the program's time zone.

A day belongs to the lot to its end: points that end "after 12 months" can be spent for the whole
of the day with the same number, and are over when the next one begins. Where a month has no such
day its last one takes its place: earned on 31 January, a month is over at the end of 28 February
(29 in a leap year); earned on 29 February, a year is over at the end of 28 February.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from projections.core.instants import instant, micros
from services.points.program.rules import AfterMonths, EndOfMonth, EndOfYear, Expiry, Inactivity


def local_date(at: int, zone: ZoneInfo) -> date:
    """The program's date at an instant (microseconds)."""
    return instant(at).astimezone(zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    """The first instant of a day, in microseconds.

    Where clocks are put forward at midnight the day begins at one; where they are put back and a
    midnight comes twice, with the first.
    """
    return micros(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


def plus_months(day: date, months: int) -> date:
    """The day with the same number, or the month's last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def expires_at(expiry: Expiry, earned_at: int, zone: ZoneInfo) -> int | None:
    """From when points earned at `earned_at` are over; none: never, or by inactivity alone."""
    day = local_date(earned_at, zone)
    if isinstance(expiry, AfterMonths):
        return midnight(plus_months(day, expiry.months) + timedelta(days=1), zone)
    if isinstance(expiry, EndOfMonth):
        return midnight(plus_months(day.replace(day=1), expiry.months + 1), zone)
    if isinstance(expiry, EndOfYear):
        return midnight(date(day.year + expiry.years + 1, 1, 1), zone)
    return None


def lapses_at(expiry: Expiry, last_activity: int, zone: ZoneInfo) -> int | None:
    """From when a member's points are over for want of activity; none: they are not."""
    if not isinstance(expiry, Inactivity):
        return None
    day = plus_months(local_date(last_activity, zone), expiry.months)
    return midnight(day + timedelta(days=1), zone)


def active_from(pending_days: int, earned_at: int, zone: ZoneInfo) -> int | None:
    """From when points may be spent; none: at once."""
    return days_later(earned_at, pending_days, zone) if pending_days else None


def days_later(at: int, days: int, zone: ZoneInfo) -> int:
    """The midnight with which the day so many days later begins."""
    return midnight(local_date(at, zone) + timedelta(days=days), zone)


def months_before(at: int, months: int, zone: ZoneInfo) -> tuple[int, int]:
    """So many whole calendar months before the month of `at`: from, and up to without."""
    first = local_date(at, zone).replace(day=1)
    return midnight(plus_months(first, -months), zone), midnight(first, zone)
