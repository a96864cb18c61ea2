"""Do points begin and end at midnight where the program is, in every month and under any clock?"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from projections.core.instants import instant, micros
from services.points.program import calendar
from services.points.program.rules import Expiry

TOKYO = ZoneInfo("Asia/Tokyo")
ZONES = ["Asia/Tokyo", "Europe/Berlin", "America/New_York", "Africa/Cairo", "America/Sao_Paulo"]
EXPIRY: TypeAdapter[Any] = TypeAdapter(Expiry)


def at(text: str, zone: ZoneInfo = TOKYO) -> int:
    return micros(datetime.fromisoformat(text).replace(tzinfo=zone))


def ends(rule: dict[str, Any], earned: str) -> str:
    found = calendar.expires_at(EXPIRY.validate_python(rule), at(earned), TOKYO)
    assert found is not None
    return instant(found).astimezone(TOKYO).isoformat(" ", "minutes")[:16]


@pytest.mark.parametrize(
    ("rule", "earned", "over"),
    [
        ({"kind": "months", "months": 12}, "2025-03-10 14:00", "2026-03-11 00:00"),
        ({"kind": "months", "months": 1}, "2025-01-31 23:59", "2025-03-01 00:00"),
        ({"kind": "months", "months": 1}, "2024-01-31 00:00", "2024-03-01 00:00"),
        ({"kind": "months", "months": 12}, "2024-02-29 12:00", "2025-03-01 00:00"),
        ({"kind": "months", "months": 48}, "2024-02-29 12:00", "2028-03-01 00:00"),
        ({"kind": "months", "months": 12}, "2023-02-28 12:00", "2024-02-29 00:00"),
        ({"kind": "end_of_month", "months": 0}, "2025-12-01 00:00", "2026-01-01 00:00"),
        ({"kind": "end_of_month", "months": 2}, "2025-12-31 23:59", "2026-03-01 00:00"),
        ({"kind": "end_of_year", "years": 0}, "2025-01-01 00:00", "2026-01-01 00:00"),
        ({"kind": "end_of_year", "years": 1}, "2025-12-31 23:59", "2027-01-01 00:00"),
    ],
)
def test_known_ends(rule: dict[str, Any], earned: str, over: str) -> None:
    assert ends(rule, earned) == over


def test_a_day_in_tokyo_begins_at_three_in_the_afternoon_of_utc() -> None:
    late = micros(datetime.fromisoformat("2025-12-31T14:59:59.999999+00:00"))
    one = EXPIRY.validate_python({"kind": "end_of_year", "years": 0})
    ended = calendar.expires_at(one, late, TOKYO)
    assert ended == late + 1
    assert calendar.expires_at(one, late + 1, TOKYO) == at("2027-01-01 00:00")


def test_what_never_ends_and_what_ends_by_inactivity_has_no_time_of_its_own() -> None:
    never, quiet = EXPIRY.validate_python({"kind": "never"}), {"kind": "inactivity", "months": 6}
    inactivity = EXPIRY.validate_python(quiet)
    earned = at("2025-08-31 10:00")
    assert calendar.expires_at(never, earned, TOKYO) is None
    assert calendar.expires_at(inactivity, earned, TOKYO) is None
    assert calendar.lapses_at(never, earned, TOKYO) is None
    assert calendar.lapses_at(inactivity, earned, TOKYO) == at("2026-03-01 00:00")


def test_pending_points_are_active_at_a_midnight() -> None:
    earned = at("2025-06-01 23:30")
    assert calendar.active_from(0, earned, TOKYO) is None
    assert calendar.active_from(14, earned, TOKYO) == at("2025-06-15 00:00")


def test_where_no_clock_shows_midnight_the_day_begins_at_one() -> None:
    cairo = ZoneInfo("Africa/Cairo")  # put forward at midnight of 25 April 2025
    begins = instant(calendar.midnight(date(2025, 4, 25), cairo)).astimezone(cairo)
    assert begins.isoformat() == "2025-04-25T01:00:00+03:00"


@given(
    day=st.dates(date(2000, 1, 1), date(2090, 1, 1)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_a_days_first_instant_is_of_that_day_and_the_one_before_is_not(
    day: date, zone: ZoneInfo
) -> None:
    first = calendar.midnight(day, zone)
    assert calendar.local_date(first, zone) == day
    assert calendar.local_date(first - 1, zone) == day - timedelta(days=1)


@given(
    day=st.dates(date(2000, 1, 1), date(2090, 1, 1)), months=st.integers(-240, 240),
)  # fmt: skip
def test_months_later_is_that_month_and_at_most_three_days_off(day: date, months: int) -> None:
    later = calendar.plus_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert 0 <= day.day - later.day <= 3


def test_the_months_before_are_whole_ones() -> None:
    found = calendar.months_before(at("2025-03-31 12:00"), 3, TOKYO)
    assert found == (at("2024-12-01 00:00"), at("2025-03-01 00:00"))
