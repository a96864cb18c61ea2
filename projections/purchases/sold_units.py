"""A line of a sale and what became of it, and what each document did to a line. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from projections.purchases.documents import Line


@dataclass(slots=True)
class SoldUnits:
    """A line and what became of its units. `given_back`: money, without units.

    `lowered`: by how much less the whole line would have been sold, had every unit cost what those
    still sold cost after money was given back.
    """

    line: Line
    returned: int = 0
    refunded: int = 0
    cancelled: int = 0
    voided: int = 0
    given_back: int = 0
    lowered: Fraction = Fraction(0)

    @property
    def open(self) -> int:
        """Units that are still sold."""
        return self.line.quantity - self.gone

    @property
    def gone(self) -> int:
        """Units that are no longer sold: returned, refunded without goods, cancelled or voided."""
        return self.returned + self.refunded + self.cancelled + self.voided

    @property
    def kept(self) -> Fraction:
        """The part of the line that is still sold; of a line without units all of it."""
        return Fraction(self.open, self.line.quantity) if self.line.quantity else Fraction(1)

    def give_back(self, amount: int) -> int:
        """Money is given back, no units; what is beyond the money of the units still sold.

        A negative amount takes again what was given back before; below zero, what is beyond that.
        """
        left = max(Fraction(0), (self.line.paid - self.lowered) * self.kept)
        lowered = max(Fraction(0), self.lowered * self.kept)
        fits = max(-int(lowered), min(amount, int(left)))
        self.given_back += amount if amount > 0 else fits
        if fits and self.kept:
            self.lowered += fits / self.kept
        return amount - fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one document did to one line.

    `units`: those that are no longer sold; negative: an amendment sold more. `over`: units that the
    document names beyond those still sold. `line`: None where the sale, or such a line of it, is
    unknown. `unit`: of both amounts; None for pieces. `beyond`: money that was given back beyond
    what the line cost, in another currency, or below zero.
    """

    document: str
    kind: str
    at: int
    location: str
    sku: str
    units: int = 0
    over: int = 0
    line: Line | None = None
    disposition: str = ""
    unit: str | None = None
    beyond: int = 0
