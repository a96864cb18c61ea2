"""Is money read with the right number of decimal digits?"""

from __future__ import annotations

from fractions import Fraction

import pytest

from schemas.currencies import MINOR_UNITS, minor_units, worth

# as published in ISO 4217, list one; one of each number of digits, and those often mistaken
PUBLISHED = {
    "JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "UGX": 0, "XOF": 0, "XPF": 0,
    "USD": 2, "EUR": 2, "GBP": 2, "CNY": 2, "TWD": 2, "THB": 2, "HUF": 2, "IDR": 2, "MGA": 2,
    "MRU": 2, "CRC": 2, "ALL": 2, "XCG": 2, "ZWG": 2, "SLE": 2,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "CLF": 4, "UYW": 4,
}  # fmt: skip


@pytest.mark.parametrize(("code", "digits"), PUBLISHED.items())
def test_minor_units_are_those_of_the_standard(code: str, digits: int) -> None:
    assert minor_units(code) == digits


def test_what_no_shop_is_paid_in_is_no_currency() -> None:
    assert [minor_units(code) for code in ("ZZZ", "XXX", "XTS", "XAU", "XDR", "jpy", "")] == [
        None
    ] * 7


def test_every_code_is_three_capital_letters_and_listed_once() -> None:
    assert len(MINOR_UNITS) == 170
    assert all(code.isascii() and code.isupper() and len(code) == 3 for code in MINOR_UNITS)
    assert set(MINOR_UNITS.values()) == {0, 2, 3, 4}


@pytest.mark.parametrize(
    ("amount", "currency", "rate", "target", "expected"),
    [
        (1_000, "USD", "150", "JPY", Fraction(1_500)),  # 10.00 USD
        (1_000, "KWD", "490", "JPY", Fraction(490)),  # 1.000 KWD
        (1_000, "JPY", "0.0066", "USD", Fraction(660)),  # 6.60 USD
        (1_000, "JPY", "0.002", "KWD", Fraction(2_000)),  # 2.000 KWD
        (10_000, "CLF", "250", "KWD", Fraction(250_000)),
    ],
)
def test_an_amount_is_worth_what_the_rate_says(
    amount: int, currency: str, rate: str, target: str, expected: Fraction
) -> None:
    assert amount * worth(Fraction(rate), currency, target) == expected
