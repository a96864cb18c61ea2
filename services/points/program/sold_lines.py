"""A sale as the points program sees it: lines with their money, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from uuid import UUID

from projections.purchases.receipts import DISCOUNT, EMPTY, Receipt
from schemas.measures import THOUSANDTHS
from services.points.program.apportionment import shares

NEVER_EARN = frozenset({DISCOUNT, "GIFT_CARD", "DEPOSIT", "ROUNDING"})
"""Kinds of lines that earn nothing and that no discount lowers: neither goods nor a service."""


@dataclass(frozen=True, slots=True)
class SoldLine:
    """A line of a sale. `paid`: the amount for all its units, in minor units of the currency.

    `unit`: of the quantity, which is in thousandths of it; None: pieces. A line without units has
    the quantity 1. `tax_rate`: in hundredths of a percent; None: not told. `tax_included`: whether
    `paid` has the tax in it. `lowered`: money that was given back later, of all its units.
    """

    line_no: int
    sku: str
    quantity: int
    paid: int
    unit: str | None = None
    kind: str = "GOODS"
    tax_rate: int | None = None
    tax_included: bool = True
    lowered: int = 0

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
    `receipt`: its discounts, taxes and tenders. `amended`: whether its lines were said anew.
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
    receipt: Receipt = EMPTY
    amended: bool = False
    counted_at: int | None = None

    @property
    def in_force_at(self) -> int:
        """The instant in the sale's business date, by which rules and ranks are chosen."""
        return self.occurred_at if self.counted_at is None else self.counted_at

    def gone(self, units: Mapping[int, int]) -> Fraction:
        """The fraction (0 to 1) of the amount paid that falls on `units`, by line number.

        If nothing was paid, the fraction of the units.
        """
        paid = self.discounted
        weights = paid if any(paid) else [line.units for line in self.lines]
        part = sum(
            weight * line_gone(line, units.get(line.line_no, 0))
            for line, weight in zip(self.lines, weights, strict=True)
        )
        whole = sum(weights)
        return Fraction(part) / whole if whole else Fraction(any(units.values()))

    @property
    def discounted(self) -> list[int]:
        """By line its money less its share of what was taken off the receipt, never below 0.

        0 for discounts. A discount at a tax rate lowers the lines of that rate if there are any.
        Shared out by largest remainder.
        """
        money = [0 if line.kind == DISCOUNT else max(0, line.paid) for line in self.lines]
        for line in self.lines:
            if line.kind == DISCOUNT:
                self._lower(money, abs(line.paid), line.tax_rate)
            elif line.paid < 0 and line.kind not in NEVER_EARN:
                self._lower(money, -line.paid, line.tax_rate)
        self._lower(money, self.receipt.off, None)
        return money

    def _lower(self, money: list[int], off: int, rate: int | None) -> None:
        able = [
            0 if line.kind in NEVER_EARN else left
            for line, left in zip(self.lines, money, strict=True)
        ]
        own = [
            left if line.tax_rate == rate else 0
            for line, left in zip(self.lines, able, strict=True)
        ]
        weights = own if rate is not None and any(own) else able
        for place, part in enumerate(shares(max(0, min(off, sum(weights))), weights)):
            money[place] -= part


def line_gone(line: SoldLine, units: int) -> Fraction:
    """The fraction (0 to 1) of the line's quantity that `units` are."""
    return Fraction(max(0, min(units, line.quantity)), max(1, line.quantity))
