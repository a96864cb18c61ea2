"""The currencies of ISO 4217 and their minor units. Pure.

Money is told in minor units: 1,000 are 10.00 US dollars, 1.000 Kuwaiti dinars and 1,000 yen. How
many decimal digits these are is the currency's, so a code that is not in this table says nothing
about an amount. Codes that are no money of shops (metals, baskets, tests) are left out; codes that
were withdrawn since 2023 are kept, because receipts may arrive late.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from pydantic import Field

_BY_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP"
        " BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR"
        " FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR"
        " KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR"
        " MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK"
        " SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN"
        " UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ZWL"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_UNITS: dict[str, int] = {
    code: digits for digits, codes in _BY_DIGITS.items() for code in codes.split()
}
"""Decimal digits of a currency's minor unit, by code."""

MinorUnits = Annotated[
    int | None,
    Field(
        description="Decimal digits of the currency's minor unit: 1000 with 2 is 10.00. Null if the"
        " code is none of ISO 4217, which sales of before the check may have."
    ),
]
"""In an answer, how to write the amounts beside it."""


def minor_units(currency: str) -> int | None:
    """Decimal digits of the currency's minor unit; None for a code that is not in the table."""
    return MINOR_UNITS.get(currency)


def worth(rate: Fraction, currency: str, target: str) -> Fraction:
    """What one minor unit of `currency` is worth, in minor units of `target`.

    `rate`: units of `target` (major, as quoted) for one unit of `currency`.
    """
    return rate * Fraction(10 ** MINOR_UNITS[target], 10 ** MINOR_UNITS[currency])
