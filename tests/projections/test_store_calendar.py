"""Which business date does a sale belong to, and where in it does its instant lie?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from projections.catalog import calendar_at
from projections.core.instants import instant, micros
from schemas.calendars import StoreCalendar, minutes_of, nominal_date

EPOCH = date(1970, 1, 1)
TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
ZONES = (
    "Asia/Tokyo",
    "America/New_York",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Asia/Kolkata",
)


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("calendar", "when", "belongs_to"),
    [
        (StoreCalendar(TOKYO), "2026-11-29T00:30:00+09:00", "2026-11-29"),
        (StoreCalendar(TOKYO), "2026-11-28T15:30:00+00:00", "2026-11-29"),
        (StoreCalendar(TOKYO, 5 * 60), "2026-11-29T04:59:59+09:00", "2026-11-28"),
        (StoreCalendar(TOKYO, 5 * 60), "2026-11-29T05:00:00+09:00", "2026-11-29"),
        (StoreCalendar(NEW_YORK), "2026-11-29T04:59:00+00:00", "2026-11-28"),
        (StoreCalendar(NEW_YORK, 12 * 60), "2026-11-29T16:59:00+00:00", "2026-11-28"),
    ],
)
def test_the_date_by_the_stores_clock(calendar: StoreCalendar, when: str, belongs_to: str) -> None:
    assert calendar.date_at(at(when)) == day(belongs_to)


@pytest.mark.parametrize(
    ("told", "used"),
    [
        ("2026-11-26", False),
        ("2026-11-27", True),
        ("2026-11-28", True),
        ("2026-11-29", True),
        ("2026-12-01", True),
        ("2026-12-02", False),
        ("2099-01-01", False),
    ],
)
def test_a_date_that_is_told_counts_within_two_days(told: str, used: bool) -> None:
    when, store = at("2026-11-29T00:30:00+09:00"), StoreCalendar(TOKYO)
    expected = day(told) if used else day("2026-11-29")
    assert store.business_date(when, day(told)) == expected
    moved = store.moved_into(when, day(told))
    assert store.date_at(moved) == expected
    assert (moved == when) == (expected == day("2026-11-29"))


def test_the_instant_is_moved_to_the_nearest_end_of_its_date() -> None:
    store, when = StoreCalendar(TOKYO, 5 * 60), at("2026-11-29T12:00:00+09:00")
    first = at("2026-11-30T05:00:00+09:00")
    assert store.moved_into(when, day("2026-11-30")) == first
    assert store.moved_into(when, day("2026-11-28")) == at("2026-11-29T05:00:00+09:00") - 1
    assert store.moved_into(when, None) == when


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("starts_at", [0, 300, 720])
def test_dates_follow_each_other_without_a_gap(zone: str, starts_at: int) -> None:
    """Also where clocks go forward and back; the nominal date is near every store's."""
    store, clock = StoreCalendar(ZoneInfo(zone), starts_at), at("2026-01-01T00:00:00+00:00")
    for hour in range(0, 24 * 366, 7):
        moment = clock + hour * 3_600_000_000 + 1
        found = store.date_at(moment)
        assert store.begins(found) <= moment < store.begins(found + 1)
        assert -1 <= nominal_date(moment) - found <= 2


def test_a_day_begins_when_clocks_that_went_forward_allow_it() -> None:
    store = StoreCalendar(NEW_YORK, 150)  # 02:30 does not exist on 8 March 2026
    assert instant(store.begins(day("2026-03-08"))) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


def test_the_description_in_force_decides() -> None:
    before = {
        "valid_from": at("2026-01-01T00:00:00+00:00"),
        "time_zone": None,
        "day_starts_at": None,
    }
    after = before | {"valid_from": at("2026-07-01T00:00:00+00:00"), "time_zone": "Asia/Kolkata"}
    after["day_starts_at"] = minutes_of("04:30")
    assert calendar_at([after, before], at("2026-06-30T00:00:00+00:00")) == StoreCalendar(TOKYO)
    later = calendar_at([before, after], at("2026-07-02T00:00:00+00:00"))
    assert later == StoreCalendar(ZoneInfo("Asia/Kolkata"), 270)
    assert calendar_at([], 0) == StoreCalendar(TOKYO)
    unknown = [before | {"time_zone": "Mars/Olympus", "day_starts_at": 60}]
    assert calendar_at(unknown, at("2026-06-30T00:00:00+00:00")) == StoreCalendar(TOKYO, 60)
    assert minutes_of("noon") == 0
