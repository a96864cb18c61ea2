"""Does each line earn what the rules say, and is nothing lost when it is shared out?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.program.apportionment import (
    points_earned_by,
    points_left,
    points_paid_for,
    rounded,
    shares,
)
from services.points.program.calendar import midnight
from services.points.program.earnings import earnings, lot_of
from services.points.program.rules import EarningRules
from services.points.program.sold_lines import EarningSale, SoldLine

T0 = 1_750_000_000_000_000
counts = st.integers(0, 10**9)


def sale(*paid: int, points_paid: int = 0, channel: str = "STORE") -> EarningSale:
    lines = tuple(SoldLine(no, f"sku-{no}", 1, each) for no, each in enumerate(paid, 1))
    return EarningSale(uuid4(), uuid4(), T0, channel, lines, points_paid)


def given_by(rules: dict[str, Any], what: EarningSale, **more: Any) -> list[int]:
    found = earnings(
        what, EarningRules.model_validate(rules), more.get("categories", {}), more.get("rank")
    )
    return [one.points for one in found]


ONE_PERCENT = {"earn": [{"points": 1, "per": 100}]}


def test_each_line_earns_its_own_and_rounds_its_own() -> None:
    assert given_by(ONE_PERCENT, sale(1_650, 99, 150)) == [16, 0, 1]
    assert given_by({**ONE_PERCENT, "rounding": "half_up"}, sale(1_650, 49, 50)) == [17, 0, 1]
    assert given_by({**ONE_PERCENT, "rounding": "ceil"}, sale(1_650, 1, 0)) == [17, 1, 0]


def test_points_expire_by_the_business_date_of_their_sale() -> None:
    """At 00:30 on 1 June; the sale's business date may be 31 May."""
    rules = EarningRules.model_validate(
        {**ONE_PERCENT, "pending_days": 1, "expiry": {"kind": "end_of_month", "months": 0}}
    )
    at = midnight(date(2025, 6, 1), rules.zone) + 30 * 60_000_000
    made = replace(sale(1_000), occurred_at=at)
    moved = replace(made, counted_at=midnight(date(2025, 6, 1), rules.zone) - 1)
    (plain,), (late,) = (earnings(one, rules, {}, None) for one in (made, moved))
    assert plain.active_from == midnight(date(2025, 6, 2), rules.zone)
    assert plain.expires_at == midnight(date(2025, 7, 1), rules.zone)
    assert late.active_from == late.expires_at == midnight(date(2025, 6, 1), rules.zone)


def test_what_was_paid_with_points_earns_none_unless_the_rules_say_so() -> None:
    what = sale(1_000, 500, points_paid=900)
    assert given_by(ONE_PERCENT, what) == [4, 2]
    assert given_by({**ONE_PERCENT, "earn_on_points_paid": True}, what) == [10, 5]
    assert given_by(ONE_PERCENT, sale(1_000, points_paid=5_000)) == [0]


def test_rates_are_by_channel_class_and_rank() -> None:
    rules = {
        "earn": [
            {"categories": ["tea"], "points": 0, "per": 1},
            {"channels": ["EC"], "points": 2, "per": 100},
            {"ranks": ["gold"], "points": 5, "per": 100},
        ],
        "ranks": {"months": 6, "ladder": [{"name": "gold", "spent": 1}]},
    }
    tea = {"sku-1": "tea"}
    assert given_by(rules, sale(1_000, 1_000, channel="EC"), categories=tea) == [0, 20]
    assert given_by(rules, sale(1_000), rank="gold") == [50]
    assert given_by(rules, sale(1_000)) == [0]


def test_a_lot_has_one_name_however_often_it_is_decided() -> None:
    what = sale(1_000, 2_000)
    rules = EarningRules.model_validate(ONE_PERCENT)
    first, again = (earnings(what, rules, {}, None) for _ in range(2))
    assert first == again
    assert [one.lot_id for one in first] == [lot_of(what.transaction_id, no) for no in (1, 2)]
    assert len({one.lot_id for one in first}) == 2
    assert lot_of(UUID(int=1), 1) != lot_of(UUID(int=2), 1)


@pytest.mark.parametrize(
    ("value", "floor", "half_up", "ceil"),
    [(Fraction(3, 2), 1, 2, 2), (Fraction(149, 100), 1, 1, 2), (Fraction(2), 2, 2, 2)],
)
def test_rounding(value: Fraction, floor: int, half_up: int, ceil: int) -> None:
    assert rounded(value, "floor") == floor
    assert rounded(value, "half_up") == half_up
    assert rounded(value, "ceil") == ceil


@given(whole=counts, weights=st.lists(counts, min_size=1, max_size=20))
def test_shares_sum_to_the_whole_and_are_less_than_one_off(whole: int, weights: list[int]) -> None:
    parts = shares(whole, weights)
    assert sum(parts) == whole
    if any(weights):
        for part, weight in zip(parts, weights):
            assert abs(part - Fraction(whole * weight, sum(weights))) < 1


def test_the_largest_remainder_gets_what_is_left() -> None:
    assert shares(10, [1, 1, 1]) == [4, 3, 3]
    assert shares(7, [5, 3, 1]) == [4, 2, 1]
    assert shares(5, [0, 0]) == [3, 2]
    assert shares(0, [3, 4]) == [0, 0]


@given(points=counts, quantity=st.integers(1, 500), data=st.data())
def test_partial_returns_sum_to_the_whole_however_they_are_cut(
    points: int, quantity: int, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, quantity), max_size=6))
    steps = [0, *sorted(cuts), quantity]
    for share in (points_earned_by, points_paid_for):
        gone = [share(points, Fraction(step, quantity)) for step in steps]
        assert gone[0] == 0
        assert gone[-1] == points
        assert gone == sorted(gone)
    for step in steps:
        stays = points_left(points, Fraction(step, quantity))
        assert stays + points_earned_by(points, Fraction(step, quantity)) == points
        assert stays * quantity <= points * (quantity - step), "kept more than was earned"
