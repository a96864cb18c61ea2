"""Are a program's rules read as they were meant, and refused with field and reason otherwise?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from schemas.generated.inputs import example
from services.points.program.rules import (
    EarningRules,
    UnreadableProgramRules,
    read_rules,
    readable,
    version_at,
)
from services.runtime.metrics import POINTS_UNREADABLE

FULL: dict[str, Any] = {
    "time_zone": "Asia/Tokyo",
    "earn": [
        {"categories": ["gift-card"], "points": 0, "per": 100},
        {"channels": ["EC"], "ranks": ["gold"], "points": 3, "per": 100},
        {"points": 1, "per": 110},
    ],
    "rounding": "half_up",
    "earn_on_points_paid": False,
    "pending_days": 14,
    "expiry": {"kind": "end_of_month", "months": 12},
    "return_policy": "withhold_from_refund",
    "grace": {"min_days_after_refund": 30},
    "point_value": 1,
    "offline_floor": {"per_redemption": 500, "terminals": {"S001/T01": 2000}},
    "ranks": {"months": 12, "ladder": [{"name": "gold", "spent": 100_000}]},
}


def test_everything_that_can_be_said_is_read() -> None:
    rules = read_rules(json.dumps(FULL))
    assert rules.model_dump(mode="json", exclude_unset=True) == FULL
    assert (rules.rank(99_999), rules.rank(100_000)) == (None, "gold")
    assert rules.offline_floor.limit("S001", "T01") == 2000
    assert rules.offline_floor.limit("S001", "T02") == 500


def test_the_first_rate_that_matches_is_the_rate() -> None:
    rules = read_rules(json.dumps(FULL))

    def rate(*line: Any) -> int:
        return next(number for number, one in enumerate(rules.earn) if one.matches(*line))

    assert rate("EC", "gift-card", "gold") == 0
    assert rate("EC", "tea", "gold") == 1
    assert rate("EC", None, None) == 2
    assert rate("STORE", "tea", "gold") == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"earn": [{"points": 1, "per": 0}]}, "earn.0.per"),
        ({"earn": [{"points": 1.5, "per": 100}]}, "earn.0.points"),
        ({"earn": [{"points": 1, "per": 100, "store": "S1"}]}, "earn.0.store"),
        ({"earn": [{"points": 1, "per": 100, "channels": ["MOON"]}]}, "earn.0.channels.0"),
        ({"expiry": {"kind": "months"}}, "expiry.months"),
        ({"expiry": {"kind": "soon"}}, "expiry"),
        ({"expiry": {"kind": "end_of_year", "years": -1}}, "expiry.years"),
        ({"rounding": "up"}, "rounding"),
        ({"pending_days": "14"}, "pending_days"),
        ({"time_zone": "Asia/Edo"}, "time_zone"),
        ({"return_policy": "keep"}, "return_policy"),
        ({"offline_floor": {"terminals": {"S/T": -1}}}, "offline_floor.terminals.S/T"),
        ({"yen_per_point": 100}, "yen_per_point"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(UnreadableProgramRules) as caught:
        read_rules(json.dumps({**FULL, **change}))
    assert caught.value.field == field
    assert caught.value.reason


def test_a_rate_for_a_rank_that_there_is_not_is_refused() -> None:
    with pytest.raises(
        UnreadableProgramRules, match=r"earn\.1\.ranks has 'gold', which is not a declared rank"
    ):
        read_rules(json.dumps({**FULL, "ranks": None}))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"earn": [], "earn": []}', "NaN"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(UnreadableProgramRules):
        read_rules(text)


def test_the_version_in_force_is_the_same_whichever_was_read_first() -> None:
    rows = [
        {"program_id": "hitotsu-points", "valid_from": at, "set_at": set_at, "version": version}
        for at, set_at, version in ((10, 1, "a"), (20, 1, "b"), (20, 2, "c"), (30, 0, "d"))
    ]
    for order in (rows, rows[::-1]):
        found = [(version_at(order, at) or {}).get("version") for at in (9, 10, 20, 29, 30)]
        assert found == [None, "a", "c", "c", "d"]


def test_the_rules_that_the_how_to_shows_are_some() -> None:
    page = Path(__file__).parents[3] / "docs" / "howto" / "let-rules-give-points.md"
    (shown,) = re.findall(r"```json\n(.*?)```", page.read_text("utf-8"), re.S)
    rules = read_rules(shown)
    assert rules.return_policy == "withhold_from_refund"
    assert [rules.rank(spent) for spent in (29_999, 30_000, 100_000)] == [None, "silver", "gold"]
    assert set(json.loads(shown)) == set(EarningRules.model_fields)


def test_the_example_of_the_contract_is_a_program() -> None:
    rules = read_rules(str(example("ProgramRulesSet")["rules"]))
    assert [(one.points, one.per) for one in rules.earn] == [(1, 100)]


def test_a_version_that_cannot_be_read_does_not_count() -> None:
    def row(at: int, text: str) -> dict[str, Any]:
        return {
            "program_id": "hitotsu-points", "valid_from": at, "set_at": at, "version": str(at),
            "rules": text, "accrual": "RULES",
        }  # fmt: skip

    rows = [row(1, '{"pending_days": 3}'), row(2, "no JSON"), row(3, '{"earn": 1}'), row(4, "{}")]
    for at, version in ((0, None), (1, "1"), (2, "1"), (3, "1"), (4, "4")):
        found = version_at(readable(rows), at)
        assert (found["version"] if found else None) == version
    assert version_at(readable(rows), 3)["read"].pending_days == 3  # type: ignore[index]
    assert POINTS_UNREADABLE._value.get() == 2
