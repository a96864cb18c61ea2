"""Computes the points that a sale earns, one lot per line, from the rules it is given.

The other inputs are the sale, the items' categories and the buyer's rank. No clock is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from uuid import UUID, uuid5

from schemas.measures import THOUSANDTHS
from services.points.program.apportionment import shares
from services.points.program.calendar import active_from, expires_at
from services.points.program.rules import Earn, EarningRules, Rounding


@dataclass(frozen=True, slots=True)
class SoldLine:
    """A line of a sale. `paid`: the amount for all its units, in minor units of the currency.

    `unit`: of the quantity, which is in thousandths of it; None: pieces.
    """

    line_no: int
    sku: str
    quantity: int
    paid: int
    unit: str | None = None

    @property
    def units(self) -> Fraction | int:
        """Pieces, or units of what is measured; comparable between lines."""
        return self.quantity if self.unit is None else Fraction(self.quantity, THOUSANDTHS)


@dataclass(frozen=True, slots=True)
class EarningSale:
    """The fields of a purchase that matter for points.

    `profile_id`: None for a guest's purchase that nobody has claimed together with its points.
    `points_paid`: the amount paid with points, as money. `returned`: returned units by line number,
    from applied events, counted as the line's quantity is. `currency`: of all its amounts.
    `counted_at`: the instant moved into the sale's business date; None: the same. Rules, ranks and
    the dates of points go by it.
    """

    transaction_id: UUID
    profile_id: UUID | None
    occurred_at: int
    channel: str
    lines: tuple[SoldLine, ...]
    points_paid: int = 0
    returned: Mapping[int, int] = field(default_factory=dict)
    currency: str = "JPY"
    counted_at: int | None = None

    @property
    def in_force_at(self) -> int:
        """The instant in the sale's business date, by which rules and ranks are chosen."""
        return self.occurred_at if self.counted_at is None else self.counted_at

    def gone(self, units: Mapping[int, int]) -> Fraction:
        """The fraction (0 to 1) of the amount paid that falls on `units`, by line number.

        If nothing was paid, the fraction of the units.
        """
        paid = any(line.paid for line in self.lines)
        whole = sum(line.paid if paid else line.units for line in self.lines)
        part = sum(
            (line.paid if paid else line.units)
            * line_gone(line, units.get(line.line_no, 0))
            for line in self.lines
        )  # fmt: skip
        return Fraction(part) / whole if whole else Fraction(any(units.values()))


def line_gone(line: SoldLine, units: int) -> Fraction:
    """The fraction (0 to 1) of the line's quantity that `units` are."""
    return Fraction(max(0, min(units, line.quantity)), max(1, line.quantity))


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
    sale: EarningSale, rules: EarningRules, categories: Mapping[str, str | None], rank: str | None
) -> list[Earning]:
    """The earnings of all lines, in their order. `categories`: by sku. `rank`: the buyer's."""
    zone, at = rules.zone, sale.in_force_at
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
    """The first rate whose conditions match; None if there is none, so nothing is earned."""
    return next((one for one in rules.earn if one.matches(channel, category, rank)), None)


def _points(money: int, rate: Earn | None, rules: EarningRules) -> int:
    if rate is None or money <= 0:
        return 0
    return rounded(Fraction(money * rate.points, rate.per), rules.rounding)


def rounded(value: Fraction, rounding: Rounding) -> int:
    """Rounds to an integer: "ceil" up, "half_up" to the nearest (a half up), "floor" down."""
    if rounding == "ceil":
        return -(-value.numerator // value.denominator)
    if rounding == "half_up":
        value += Fraction(1, 2)
    return value.numerator // value.denominator
