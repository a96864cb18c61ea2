"""Computes when points become active and expire: at a midnight in the program's time zone.

Points that expire "after 12 months" can be spent until the end of the day that is 12 months after
the day of earning. If that month has no such day, its last day counts: points earned on 31 January
that last a month expire at the end of 28 February (29 in a leap year).
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from projections.core.instants import DAY, instant, micros
from services.points.program.rules import AfterMonths, EndOfMonth, EndOfYear, Expiry, Inactivity


def local_date(at: int, zone: ZoneInfo) -> date:
    """The program's date at an instant (microseconds)."""
    return instant(at).astimezone(zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    """The first instant of a day, in microseconds.

    If clocks go forward at midnight, the day begins at one o'clock; if they go back and midnight
    occurs twice, the first one counts.
    """
    return micros(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


def plus_months(day: date, months: int) -> date:
    """The same day of the month, `months` later; that month's last day if it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def expires_at(expiry: Expiry, earned_at: int, zone: ZoneInfo) -> int | None:
    """When points earned at `earned_at` expire; None: never, or by inactivity. Microseconds."""
    day = local_date(earned_at, zone)
    if isinstance(expiry, AfterMonths):
        return midnight(plus_months(day, expiry.months) + timedelta(days=1), zone)
    if isinstance(expiry, EndOfMonth):
        return midnight(plus_months(day.replace(day=1), expiry.months + 1), zone)
    if isinstance(expiry, EndOfYear):
        return midnight(date(day.year + expiry.years + 1, 1, 1), zone)
    return None


def lapses_at(expiry: Expiry, last_activity: int, zone: ZoneInfo) -> int | None:
    """When a member's points expire by inactivity, in microseconds; None: not by these rules."""
    if not isinstance(expiry, Inactivity):
        return None
    day = plus_months(local_date(last_activity, zone), expiry.months)
    return midnight(day + timedelta(days=1), zone)


def active_from(pending_days: int, earned_at: int, zone: ZoneInfo) -> int | None:
    """When points become spendable, in microseconds; None: immediately."""
    return days_later(earned_at, pending_days, zone) if pending_days else None


def days_later(at: int, days: int, zone: ZoneInfo) -> int:
    """The start (in microseconds) of the day that is `days` after the day of `at`."""
    return midnight(local_date(at, zone) + timedelta(days=days), zone)


def months_before(at: int, months: int, zone: ZoneInfo) -> tuple[int, int]:
    """Start and end of the `months` calendar months before the month of `at`: [start, end)."""
    first = local_date(at, zone).replace(day=1)
    return midnight(plus_months(first, -months), zone), midnight(first, zone)


def months_after(at: int, months: int) -> tuple[int, int]:
    """A range [start, end) with all later instants of which `months_before` may include `at`, in
    any time zone.
    """
    return at + 1, at + (31 * (months + 2)) * DAY
