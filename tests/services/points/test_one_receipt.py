"""What do the rules make of one receipt: its kinds of lines, discounts, taxes, tenders, limits?"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from projections.purchases.receipts import Discount, Receipt
from services.points.program.bases import earning_money, tax_of_lines
from services.points.program.earned_day import EarnedDay
from services.points.program.earnings import earnings
from services.points.program.rules import EarningRules, UnreadableProgramRules, read_rules
from services.points.program.sold_lines import EarningSale, SoldLine
from tests.services.points.member import T0, Member

ONE_PERCENT: dict[str, Any] = {"earn": [{"points": 1, "per": 100}]}


def sold(number: int, paid: int, kind: str = "GOODS", rate: int | None = None, **more: Any) -> Any:
    units = more.pop("quantity", 1)
    return SoldLine(number, f"sku-{number}", units, paid, kind=kind, tax_rate=rate, **more)


def sale(*lines: SoldLine, **more: Any) -> EarningSale:
    return EarningSale(uuid4(), uuid4(), T0, "STORE", lines, **more)


def points(what: EarningSale, before: int = 0, /, **rules: Any) -> list[int]:
    read = EarningRules.model_validate(ONE_PERCENT | rules)
    return [one.points for one in earnings(what, read, {}, None, before)]


@pytest.mark.parametrize("yen", [-300, 300])
def test_a_discount_lowers_the_other_lines_by_largest_remainder(yen: int) -> None:
    what = sale(sold(1, 700), sold(2, 300), sold(3, yen, "DISCOUNT"))
    assert what.discounted == [490, 210, 0]
    assert points(what) == [4, 2, 0]
    assert points(what, rounded_per="receipt") == [5, 2, 0]


def test_a_discount_at_a_rate_lowers_the_lines_of_that_rate() -> None:
    lines = (sold(1, 1_080, rate=800), sold(2, 1_100, rate=1_000))
    assert sale(*lines, sold(3, -80, "DISCOUNT", 800)).discounted == [1_000, 1_100, 0]
    assert sale(*lines, sold(3, -109, "DISCOUNT", 0)).discounted == [1_026, 1_045, 0]


def test_discounts_of_the_receipt_and_more_than_there_is() -> None:
    off = Receipt(discounts=(Discount(None, 100), Discount(1, 900)))
    assert sale(sold(1, 300), sold(2, 100), receipt=off).discounted == [225, 75]
    assert sale(sold(1, 300), sold(2, 999, "DISCOUNT")).discounted == [0, 0]


@pytest.mark.parametrize("kind", ["GIFT_CARD", "DEPOSIT", "ROUNDING", "DISCOUNT"])
def test_what_is_neither_goods_nor_a_service_earns_nothing(kind: str) -> None:
    assert points(sale(sold(1, 1_000), sold(2, 500, kind)))[1] == 0
    assert sale(sold(1, 1_000), sold(2, 500, "GIFT_CARD"), sold(3, 100, "DISCOUNT")).discounted == [
        900, 500, 0,
    ]  # fmt: skip


def test_kinds_and_tenders_that_the_rules_exclude_earn_nothing() -> None:
    what = sale(sold(1, 1_000), sold(2, 500, "SHIPPING"))
    assert points(what) == [10, 5]
    assert points(what, excluded_kinds=["SHIPPING"]) == [10, 0]
    paid = replace(what, receipt=Receipt(tenders=(("GIFT_CARD", 600), ("CASH", 900))))
    assert points(paid) == [10, 5]
    assert points(paid, excluded_tenders=["GIFT_CARD"]) == [6, 3]
    assert points(replace(paid, points_paid=900), excluded_tenders=["GIFT_CARD"]) == [0, 0]


@pytest.mark.parametrize(
    ("rounding", "taxes"), [("floor", [8, 7, 7]), ("half_up", [8, 7, 7]), ("ceil", [8, 8, 7])]
)
def test_tax_is_rounded_once_for_a_rate_and_shared_by_largest_remainder(
    rounding: Any, taxes: list[int]
) -> None:
    # 3 x 101 with 8 % in it: 22.44 in all; 7.48 in each line would be 21 or 24
    what = sale(*(sold(number, 101, rate=800) for number in (1, 2, 3)))
    assert tax_of_lines(what, what.discounted, rounding) == taxes


def test_the_tax_that_the_receipt_says_counts() -> None:
    what = sale(sold(1, 101, rate=800), sold(2, 101, rate=800))
    assert sum(tax_of_lines(what, what.discounted, "floor")) == 14
    told = replace(what, receipt=Receipt(by_rate=((800, 187, 15),)))
    assert tax_of_lines(told, told.discounted, "floor") == [8, 7]
    nonsense = replace(what, receipt=Receipt(by_rate=((800, 1, 99_999),)))
    assert sum(tax_of_lines(nonsense, nonsense.discounted, "floor")) == 14


def test_money_without_tax_earns_whether_the_tax_is_in_it_or_not() -> None:
    rules = EarningRules.model_validate({"base_without_tax": True})
    inside = sale(sold(1, 1_080, rate=800), sold(2, 1_100, rate=1_000), sold(3, 500))
    added = sale(sold(1, 1_000, rate=800, tax_included=False), sold(2, 1_100, rate=1_000))
    assert earning_money(inside, rules) == [1_000, 1_000, 500]
    assert earning_money(added, rules) == [1_000, 1_000]
    with_tax = EarningRules()
    assert earning_money(inside, with_tax) == [1_080, 1_100, 500]
    assert earning_money(added, with_tax) == [1_080, 1_100]


def test_half_of_a_price_that_came_back_takes_half_of_the_tax_with_it() -> None:
    rules = EarningRules.model_validate({"base_without_tax": True})
    assert earning_money(sale(sold(1, 1_080, rate=800, lowered=540)), rules) == [500]


def test_points_per_line_and_per_receipt() -> None:
    three = sale(*(sold(number, 99) for number in (1, 2, 3)))
    assert points(three) == [0, 0, 0]
    assert points(three, rounded_per="receipt") == [1, 1, 0]
    assert points(three, rounded_per="receipt", rounding="ceil") == [1, 1, 1]


def test_a_receipt_and_a_day_have_limits() -> None:
    what = sale(sold(1, 30_000), sold(2, 10_000))
    assert points(what) == [300, 100]
    assert points(what, most_per_receipt=100) == [75, 25]
    assert points(what, most_per_receipt=0) == [0, 0]
    assert points(what, most_per_receipt=100, most_per_day=1_000) == [75, 25]
    assert points(what, 950, most_per_day=1_000) == [38, 12]
    assert points(what, 1_001, most_per_day=1_000) == [0, 0]


def test_the_sales_of_a_day_use_its_limit_up_in_the_order_of_time() -> None:
    day, first, second = EarnedDay(), sale(sold(1, 1)), sale(sold(1, 1))
    second = replace(second, occurred_at=T0 + 1)
    day.put(second, 30)
    assert (day.before(first), day.before(second)) == (0, 0)
    day.put(first, 20)
    assert (day.before(first), day.before(second)) == (0, 20)
    twin = replace(first, transaction_id=UUID(int=1))
    assert day.before(twin) == 0, "of the same time the smaller transaction comes first"


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"rounded_per": "basket"}, "rounded_per"),
        ({"base_without_tax": "yes"}, "base_without_tax"),
        ({"tax_rounding": "up"}, "tax_rounding"),
        ({"excluded_kinds": ["BOOKS"]}, "excluded_kinds.0"),
        ({"excluded_tenders": ["SHELLS"]}, "excluded_tenders.0"),
        ({"earn_on_points_paid": True, "excluded_tenders": ["POINTS"]}, "excluded_tenders"),
        ({"most_per_receipt": -1}, "most_per_receipt"),
        ({"most_per_day": 1.5}, "most_per_day"),
    ],
)
def test_rules_that_cannot_be_read_name_the_field(rules: dict[str, Any], field: str) -> None:
    with pytest.raises(UnreadableProgramRules) as told:
        read_rules(json.dumps(ONE_PERCENT | rules))
    assert told.value.field == field


# -- what was decided before, after the sale was amended ------------------------------------


def amended(who: Member, sale_id: UUID, *lines: SoldLine, **more: Any) -> None:
    who.sales[sale_id] = replace(who.sales[sale_id], lines=lines, **more)
    who.judge(sale_id)
    told = len(who.facts)
    who.judge(sale_id)
    assert len(who.facts) == told, "judging again decides nothing"


def test_an_amendment_after_a_return_keeps_what_the_rest_earns() -> None:
    who = Member(EarningRules.model_validate(ONE_PERCENT))
    bought = who.buys([(3, 3_000)])
    who.brings(bought, {1: 1})
    assert who.sum == 20
    amended(who, bought, sold(1, 2_000, quantity=2))
    assert who.sum == 10
    amended(who, bought, sold(1, 4_000, quantity=4))
    assert who.sum == 30
    who.brings(bought, {1: 3})
    assert who.sum == 0


def test_a_line_that_goes_to_another_item_earns_for_that() -> None:
    who = Member(EarningRules.model_validate(ONE_PERCENT))
    bought = who.buys([(2, 2_000)])
    who.brings(bought, {1: 1})
    hat = SoldLine(1, "hat", 3, 900)
    amended(who, bought, hat, returned={})
    assert who.sum == 9
    amended(who, bought, hat, returned={1: 1})
    assert who.sum == 6
    amended(who, bought, hat, returned={1: 3})
    assert who.sum == 0


def test_what_is_earned_after_units_were_settled_is_for_the_others() -> None:
    who = Member(EarningRules.model_validate(ONE_PERCENT))
    bought = who.buys([(2, 50)])
    who.brings(bought, {1: 1})
    assert who.sum == 0
    amended(who, bought, sold(1, 2_000, quantity=2))
    assert who.sum == 10
    who.brings(bought, {1: 1})
    assert who.sum == 0


def test_money_that_comes_back_takes_points_that_were_spent_as_debt() -> None:
    who = Member(EarningRules.model_validate(ONE_PERCENT))
    bought = who.buys([(1, 1_000)])
    who.buys([(1, 10)], 10)
    amended(who, bought, sold(1, 1_000, lowered=500))
    assert (who.account().balance, who.account().debt) == (-5, 5)
