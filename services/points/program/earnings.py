"""Computes the points that a sale earns, one lot per line, from the rules it is given.

The other inputs are the sale, the items' categories, the buyer's rank and what the member earned
before on that day. No clock is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID, uuid5

from services.points.program.apportionment import rounded, shares
from services.points.program.bases import earning_money
from services.points.program.calendar import active_from, expires_at
from services.points.program.rules import Earn, EarningRules
from services.points.program.sold_lines import EarningSale


@dataclass(frozen=True, slots=True)
class Earning:
    """The points of one line, and when they become active and expire (microseconds).

    A line that earns 0 points is listed too, but gets no lot.
    """

    line_no: int
    lot_id: UUID
    points: int
    active_from: int | None
    expires_at: int | None


def lot_of(transaction_id: UUID, line_no: int, suffix: str = "") -> UUID:
    """The lot id of a line, derived from its arguments: judging a sale again gives the same id.

    `suffix`: of the program; empty for the default one.
    """
    return uuid5(transaction_id, f"lot of line {line_no}{suffix}")


def earnings(
    sale: EarningSale,
    rules: EarningRules,
    categories: Mapping[str, str | None],
    rank: str | None,
    earned_that_day: int = 0,
) -> list[Earning]:
    """The earnings of all lines, in their order. `categories`: by sku. `rank`: the buyer's.

    `earned_that_day`: by the member's earlier sales of the sale's day.
    """
    zone, at = rules.zone, sale.in_force_at
    times = (active_from(rules.pending_days, at, zone), expires_at(rules.expiry, at, zone))
    exact = [
        _points(money, _rate(rules, sale.channel, categories.get(line.sku), rank))
        for line, money in zip(sale.lines, earning_money(sale, rules), strict=True)
    ]
    points = _limited(_whole(exact, rules), rules, earned_that_day)
    return [
        Earning(line.line_no, lot_of(sale.transaction_id, line.line_no), earned, *times)
        for line, earned in zip(sale.lines, points, strict=True)
    ]


def _rate(rules: EarningRules, channel: str, category: str | None, rank: str | None) -> Earn | None:
    """The first rate whose conditions match; None if there is none, so nothing is earned."""
    return next((one for one in rules.earn if one.matches(channel, category, rank)), None)


def _points(money: Fraction, rate: Earn | None) -> Fraction:
    return Fraction(0) if rate is None else money * rate.points / rate.per


def _whole(exact: Sequence[Fraction], rules: EarningRules) -> list[int]:
    """Points by line, rounded by line or once for the receipt, whose lines then share them."""
    if rules.rounded_per == "line":
        return [rounded(points, rules.rounding) for points in exact]
    return shares(rounded(sum(exact, Fraction(0)), rules.rounding), exact)


def _limited(points: list[int], rules: EarningRules, earned_that_day: int) -> list[int]:
    """Points by line, no more than a receipt and a day can earn; the lines share what there is."""
    whole = most = sum(points)
    if rules.most_per_receipt is not None:
        most = min(most, rules.most_per_receipt)
    if rules.most_per_day is not None:
        most = min(most, max(0, rules.most_per_day - earned_that_day))
    return points if most == whole else shares(most, points)
