"""Are instants read and written the one way, and bounded by what can be written?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from projections.catalog import scope_of
from projections.core.instants import (
    DAY,
    FIRST,
    LAST,
    Moment,
    bounded,
    instant,
    micros,
    written,
)
from projections.purchase_suppression.needs import Catalogue, suppressions, unreturned_lines
from projections.purchases.sale_state import settled
from tests.services.extremes.values import INSTANTS, NOT_INSTANTS

MOMENT = TypeAdapter(Moment)


@pytest.mark.parametrize("text", INSTANTS)
def test_what_can_be_written_can_be_asked_for_and_comes_back(text: str) -> None:
    found = MOMENT.validate_python(text)
    assert FIRST <= micros(found) <= LAST
    assert MOMENT.validate_python(written(instant(micros(found)))) == found
    assert MOMENT.validate_json(f'"{text}"') == found


@pytest.mark.parametrize("text", [*NOT_INSTANTS, 20261120, 1.5, None, True, datetime(2026, 1, 1)])
def test_what_is_no_time_with_its_offset_is_refused_with_what_is_wanted(text: object) -> None:
    with pytest.raises(ValidationError) as refused:
        MOMENT.validate_python(text)
    (error,) = refused.value.errors()
    assert "RFC 3339" in error["msg"] or "years 0001 to 9999" in error["msg"]


def test_times_are_written_in_utc_whatever_their_zone() -> None:
    at = datetime(2026, 11, 20, 18, 0, tzinfo=timezone(timedelta(hours=9)))
    assert written(at) == "2026-11-20T09:00:00Z"
    assert written(at.replace(microsecond=5)) == "2026-11-20T09:00:00.000005Z"


def test_an_end_beyond_all_times_is_none() -> None:
    assert bounded(LAST) == LAST
    assert bounded(LAST + 1) is None
    assert instant(LAST) == datetime.max.replace(tzinfo=UTC)
    with pytest.raises(OverflowError):
        instant(LAST + 1)


@pytest.mark.parametrize("kind", ["DURABLE", "REPLENISHABLE"])
@pytest.mark.parametrize("days", [9_999_999, 2**31 - 1])
@pytest.mark.parametrize("at", [1, DAY * 20_000, LAST])
def test_a_need_met_for_longer_than_can_be_written_is_met_for_ever(
    kind: str, days: int, at: int
) -> None:
    policy = {
        "scope": scope_of("a", None), "valid_from": 0, "kind": kind, "reach": "SKU",
        "interval_days": days,
    }  # fmt: skip
    sale = settled(
        {"00": ["sale", 0, None, "EC", "", "JPY", 1, 0, None,
                [[1, "a", 1, 1]]]}
    )  # fmt: skip
    lines = unreturned_lines([("t", sale)], at)
    found = suppressions(["a"], lines, Catalogue([], [policy], at), at)
    assert found["a"].until is None
