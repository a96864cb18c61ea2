"""Do sales earn in the program's own currency, and in others by its rates or not at all?"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.generated.events import PointsEarned
from services.points.program.currencies import refund_of, rules_in
from services.points.program.earnings import earnings
from services.points.program.rules import EarningRules, UnreadableProgramRules, read_rules
from services.points.program.sales import spent
from services.points.program.sold_lines import EarningSale, SoldLine
from tests.services.points.member import Member

T0 = 1_750_000_000_000_000
DIGITS = {"JPY": 0, "USD": 2, "KWD": 3}
RATES = {"USD": "150.25", "KWD": "489.5"}


def rules_of(**more: Any) -> EarningRules:
    return EarningRules.model_validate({"earn": [{"points": 1, "per": 100}], **more})


def sale_of(currency: str, *paid: int) -> EarningSale:
    lines = tuple(SoldLine(no, f"sku-{no}", 1, each) for no, each in enumerate(paid, 1))
    return EarningSale(uuid4(), uuid4(), T0, "STORE", lines, currency=currency)


def points_of(rules: EarningRules, sale: EarningSale) -> list[int]:
    return [one.points for one in earnings(sale, rules_in(rules, sale.currency), {}, None)]


def test_without_a_rate_only_sales_in_the_programs_own_currency_earn() -> None:
    rules = rules_of()
    assert [points_of(rules, sale_of(currency, 1_000)) for currency in DIGITS] == [[10], [0], [0]]
    dollars = rules_of(currency="USD")
    assert [points_of(dollars, sale_of(currency, 1_000)) for currency in DIGITS] == [[0], [10], [0]]


def test_a_rate_is_for_whole_units_and_no_amount_is_rounded_before_the_points() -> None:
    rules = rules_of(rates=RATES)
    assert points_of(rules, sale_of("USD", 1_000)) == [15]  # 10.00 USD are 1,502.5 yen
    assert points_of(rules, sale_of("KWD", 1_000)) == [4]  # 1.000 KWD is 489.5 yen
    assert points_of(rules, sale_of("USD", 66, 67)) == [0, 1]  # 99.165 and 100.6675 yen


@given(
    st.sampled_from(sorted(DIGITS)),
    st.sampled_from(sorted(DIGITS)),
    st.integers(0, 10**9),
    st.decimals("0.0001", "9999", places=4),
    st.integers(1, 100),
    st.integers(1, 1_000),
)
def test_a_sale_earns_what_a_decimal_calculation_of_its_amount_says(
    own: str, other: str, paid: int, rate: Decimal, points: int, per: int
) -> None:
    rates = {} if own == other else {other: str(rate)}
    rules = EarningRules.model_validate(
        {"currency": own, "rates": rates, "earn": [{"points": points, "per": per}]}
    )
    amount = Decimal(paid).scaleb(-DIGITS[other]) * (1 if own == other else rate)
    minor = Fraction(amount.scaleb(DIGITS[own]))
    assert points_of(rules, sale_of(other, paid)) == [int(minor * points / per)]


def test_money_spent_for_a_rank_counts_in_the_programs_currency() -> None:
    rules = rules_of(rates={"USD": "150"})
    assert [spent(sale_of(currency, 1_000), rules) for currency in DIGITS] == [1_000, 1_500, 0]


def test_what_is_withheld_is_told_in_the_money_of_the_refund() -> None:
    rules = rules_of(rates={"USD": "150"}, point_value=2)
    assert refund_of(rules, 75, "JPY") == (150, "JPY")
    assert refund_of(rules, 75, "USD") == (100, "USD")  # 150 yen are 1.00 USD
    assert refund_of(rules, 74, "USD") == (98, "USD")  # 148 yen are 0.98 USD and a bit
    assert refund_of(rules, 75, "KWD") == (150, "JPY")


def test_a_sale_that_earns_nothing_for_its_currency_says_so_once() -> None:
    who = Member(rules_of())
    sale = who.buys([(1, 1_000)])
    who.sales[sale] = replace(who.sales[sale], currency="USD")
    who.facts.clear()
    who.decided.clear()
    (fact,) = who.judge(sale).facts
    assert isinstance(fact, PointsEarned)
    assert (fact.currency, fact.rate, [lot.points for lot in fact.lots]) == ("USD", None, [0])
    assert who.judge(sale).facts == []


def test_rates_that_are_declared_later_give_the_points() -> None:
    who = Member(rules_of())
    sale = who.buys([(1, 1_000)])
    who.entries.clear()
    who.decided.clear()
    who.sales[sale] = replace(who.sales[sale], currency="USD")
    who.judge(sale)
    who.rules, who.version = rules_of(rates={"USD": "150"}), "2"
    (fact,) = who.judge(sale).facts
    assert isinstance(fact, PointsEarned)
    assert (fact.currency, fact.rate, [lot.points for lot in fact.lots]) == ("USD", "150", [15])
    assert who.brings(sale, {1: 1}).taken.points == 15  # type: ignore[union-attr]
    assert who.sum == 0


@pytest.mark.parametrize(
    ("rules", "field", "reason"),
    [
        ({"currency": "ZZZ"}, "currency", "is not a currency code of ISO 4217"),
        ({"currency": "yen"}, "currency", "three capital letters"),
        ({"rates": {"ZZZ": "1"}}, "rates.ZZZ", "is not a currency code of ISO 4217"),
        ({"rates": {"USD": 150}}, "rates.USD", "string"),
        ({"rates": {"USD": "150,2"}}, "rates.USD", "match pattern"),
        ({"rates": {"USD": "0.00"}}, "rules", "rates.USD is 0"),
        ({"rates": {"JPY": "1"}}, "rules", "the program's own currency"),
    ],
)
def test_rates_that_say_nothing_are_refused_with_their_field(
    rules: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(UnreadableProgramRules) as refused:
        read_rules(json.dumps(rules))
    assert refused.value.field == field
    assert reason in refused.value.reason
