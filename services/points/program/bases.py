"""Computes how much money of each line of a receipt can earn points, from the rules.

Tax is shared out to the lines of its rate, and tenders that earn nothing to all lines: by largest
remainder, so that the parts come to the whole to the last minor unit. Tax is rounded once for each
rate of a receipt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction

from projections.purchases.receipts import DISCOUNT, WHOLE
from services.points.program.apportionment import Rounding, rounded, shares
from services.points.program.rules import EarningRules
from services.points.program.sold_lines import NEVER_EARN, EarningSale, SoldLine

POINTS = "POINTS"


def earning_money(sale: EarningSale, rules: EarningRules) -> list[Fraction]:
    """By line the money that earns, in minor units: what was paid for it by tenders that earn, less
    what was given back, with or without tax as the rules say; 0 for kinds that do not earn.
    """
    discounted = sale.discounted
    taxes = tax_of_lines(sale, discounted, rules.tax_rounding)
    gross = [
        money if line.tax_included else money + tax
        for line, money, tax in zip(sale.lines, discounted, taxes, strict=True)
    ]
    elsewhere = shares(min(_not_earning(sale, rules), sum(gross)), gross)
    found = []
    for line, money, tax, other in zip(sale.lines, gross, taxes, elsewhere, strict=True):
        left = max(0, money - other - line.lowered)
        if line.kind in NEVER_EARN or line.kind in rules.excluded_kinds:
            left = 0
        if rules.base_without_tax and money:
            found.append(Fraction(left * (money - tax), money))
        else:
            found.append(Fraction(left))
    return found


def tax_of_lines(sale: EarningSale, discounted: Sequence[int], rounding: Rounding) -> list[int]:
    """By line the tax of its discounted money; 0 where no rate was told.

    The tax of a rate is what the receipt says; else it is rounded once.
    """
    exact = [_exact_tax(line, money) for line, money in zip(sale.lines, discounted, strict=True)]
    told = {rate: tax for rate, _, tax in sale.receipt.by_rate}
    taxes = [0] * len(exact)
    for rate, places in _places_by_rate(sale.lines).items():
        own = [exact[place] for place in places]
        whole = sum(own, Fraction(0))
        if not whole:
            continue
        tax = told.get(rate)
        # what is further off than any rounding is no tax of these lines
        if tax is None or abs(tax - whole) > len(own):
            tax = rounded(whole, rounding)
        for place, part in zip(places, shares(max(0, tax), own), strict=True):
            taxes[place] = part
    return taxes


def _exact_tax(line: SoldLine, money: int) -> Fraction:
    rate = line.tax_rate or 0
    return Fraction(money * rate, WHOLE + rate if line.tax_included else WHOLE)


def _places_by_rate(lines: Sequence[SoldLine]) -> Mapping[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for place, line in enumerate(lines):
        if line.tax_rate and line.kind != DISCOUNT:
            found[line.tax_rate].append(place)
    return found


def _not_earning(sale: EarningSale, rules: EarningRules) -> int:
    """The money that was paid by tenders which earn nothing."""
    points = 0 if rules.earn_on_points_paid else max(0, sale.points_paid)
    others = set(rules.excluded_tenders) - {POINTS}
    paid = sum(money for kind, money in sale.receipt.tenders if kind in others)
    return points + max(0, paid)
