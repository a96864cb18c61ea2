"""How many points does a sale earn? One lot per line, by the rules in force at the time of sale.

Input: the sale, each item's category and the buyer's rank. No clock is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from uuid import UUID, uuid5

from services.points.program.apportionment import shares
from services.points.program.calendar import active_from, expires_at
from services.points.program.rules import Earn, EarningRules, Rounding


@dataclass(frozen=True, slots=True)
class SoldLine:
    """A line of a sale. `paid`: for all units, in minor units of the currency."""

    line_no: int
    sku: str
    quantity: int
    paid: int


@dataclass(frozen=True, slots=True)
class EarningSale:
    """A purchase as far as it matters for points. `points_paid`: the amount paid with points, as
    money.

    `returned`: returned units by line, as known from events.
    """

    transaction_id: UUID
    profile_id: UUID | None
    occurred_at: int
    channel: str
    lines: tuple[SoldLine, ...]
    points_paid: int = 0
    returned: Mapping[int, int] = field(default_factory=dict)

    def gone(self, units: Mapping[int, int]) -> Fraction:
        """The fraction of the amount paid that these units (by line) make; by units if nothing was
        paid.
        """
        paid = any(line.paid for line in self.lines)
        whole = sum(line.paid if paid else line.quantity for line in self.lines)
        part = sum(
            (line.paid if paid else line.quantity)
            * line_gone(line, units.get(line.line_no, 0))
            for line in self.lines
        )  # fmt: skip
        return Fraction(part) / whole if whole else Fraction(any(units.values()))


def line_gone(line: SoldLine, units: int) -> Fraction:
    """The fraction of the line that so many units make: 0 to 1."""
    return Fraction(max(0, min(units, line.quantity)), max(1, line.quantity))


@dataclass(frozen=True, slots=True)
class Earning:
    """What one line earns; 0 points make no lot but are reported."""

    line_no: int
    lot_id: UUID
    points: int
    active_from: int | None
    expires_at: int | None


def lot_of(transaction_id: UUID, line_no: int) -> UUID:
    """The lot id of a line: a function of both, so that deciding again gives the same lot."""
    return uuid5(transaction_id, f"lot of line {line_no}")


def earnings(
    sale: EarningSale, rules: EarningRules, categories: Mapping[str, str | None], rank: str | None
) -> list[Earning]:
    """What each line earns. `categories`: by sku."""
    zone, at = rules.zone, sale.occurred_at
    times = (active_from(rules.pending_days, at, zone), expires_at(rules.expiry, at, zone))
    paid = [line.paid for line in sale.lines]
    if not rules.earn_on_points_paid:
        spent = shares(min(max(0, sale.points_paid), sum(paid)), paid)
        paid = [money - points for money, points in zip(paid, spent)]
    return [
        Earning(
            line.line_no,
            lot_of(sale.transaction_id, line.line_no),
            _points(money, _rate(rules, sale.channel, categories.get(line.sku), rank), rules),
            *times,
        )
        for line, money in zip(sale.lines, paid)
    ]


def _rate(rules: EarningRules, channel: str, category: str | None, rank: str | None) -> Earn | None:
    """The first rate that matches."""
    return next((one for one in rules.earn if one.matches(channel, category, rank)), None)


def _points(money: int, rate: Earn | None, rules: EarningRules) -> int:
    if rate is None or money <= 0:
        return 0
    return rounded(Fraction(money * rate.points, rate.per), rules.rounding)


def rounded(value: Fraction, rounding: Rounding) -> int:
    """Rounds to an integer; `half_up` rounds a half up."""
    if rounding == "ceil":
        return -(-value.numerator // value.denominator)
    if rounding == "half_up":
        value += Fraction(1, 2)
    return value.numerator // value.denominator
