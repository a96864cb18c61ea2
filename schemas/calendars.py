"""The business day of a store: which date a sale belongs to, and when that date begins and ends.

A store's clock is that of its time zone, and its day may start after midnight. A sale belongs to
the business date that it tells; where it tells none, or one more than two days from when it was
made, to the date by the store's clock. Dates are days since 1970-01-01, instants microseconds since
the epoch. No clock is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.wire.bounds import EPOCH, MICROSECOND

DEFAULT_ZONE = "Asia/Tokyo"
DAY = 86_400_000_000
APART = 2
"""A told business date that is more days than this from when the sale was made is not used."""
MOVED_MAX = (APART + 1) * DAY
"""An instant is moved by less than this into a business date, in microseconds."""
_EPOCH = date(1970, 1, 1)
_TIME_OF_DAY = re.compile(r"(\d\d):(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoreCalendar:
    """The days of a store. `starts_at`: when they start, in minutes after midnight."""

    zone: ZoneInfo
    starts_at: int = 0

    def date_at(self, at: int) -> int:
        """The date that an instant belongs to by the store's clock."""
        here = (EPOCH + at * MICROSECOND).astimezone(self.zone)
        days = (here.date() - _EPOCH).days
        return days if here.hour * 60 + here.minute >= self.starts_at else days - 1

    def begins(self, day: int) -> int:
        """The first instant of a date.

        Where clocks go forward over it, the first one after; where it comes twice, the first.
        """
        midnight = datetime.combine(_EPOCH + timedelta(days=day), datetime.min.time())
        here = (midnight + timedelta(minutes=self.starts_at)).replace(tzinfo=self.zone)
        return (here.astimezone(UTC) - EPOCH) // MICROSECOND

    def fits(self, told: int, at: int) -> bool:
        """Whether a told business date is near enough to an instant to be used."""
        return abs(told - self.date_at(at)) <= APART

    def business_date(self, at: int, told: int | None) -> int:
        """The date that a sale belongs to. `at`: when it was made, by a clock put right."""
        return told if told is not None and self.fits(told, at) else self.date_at(at)

    def moved_into(self, at: int, told: int | None) -> int:
        """The instant moved into the sale's business date: the nearest one that is in it."""
        if told is None or not self.fits(told, at):
            return at
        return min(max(at, self.begins(told)), self.begins(told + 1) - 1)


def minutes_of(time_of_day: str) -> int:
    """Minutes after midnight of a text such as 05:00; 0 for any other text."""
    told = _TIME_OF_DAY.fullmatch(time_of_day)
    return 60 * int(told[1]) + int(told[2]) if told else 0


def nominal_date(at: int) -> int:
    """The date that an instant belongs to in the default zone, for a day that starts at midnight.

    It is at most two days after and one day before the date of any store's own calendar.
    """
    return (at + 9 * DAY // 24) // DAY


@lru_cache(1_000)
def calendar_of(zone: str | None, starts_at: int | None) -> StoreCalendar:
    """The calendar that a store's description tells; without a zone, or with one that nobody
    knows, that of the default zone.
    """
    starts_at = starts_at or 0
    try:
        return StoreCalendar(ZoneInfo(zone or DEFAULT_ZONE), starts_at)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return StoreCalendar(ZoneInfo(DEFAULT_ZONE), starts_at)
