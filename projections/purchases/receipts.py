"""What a receipt says beside its lines: tax, discounts, tenders, who sold. Does it add up? Pure.

Money is in minor units of the currency, rates are hundredths of a percent (1000 is 10 %). The
document of a sale holds these values only if the event has any, or if the lines do not come to the
total.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any, Protocol

from schemas.generated.events import PurchaseAmended, PurchaseCompleted

Told = dict[str, Any]
"""The receipt as JSON: only what the event says."""
WHOLE = 10_000
"""100 % in the unit of tax rates."""
DISCOUNT = "DISCOUNT"
PLAIN: tuple[int | None, bool] = (None, True)
"""A line whose tax rate was not told, and whose money has the tax in it."""
UNTAXED = frozenset({"GIFT_CARD", "DEPOSIT", "ROUNDING"})
"""Kinds of lines that are not sold at a tax rate unless they name one."""


class Charged(Protocol):
    """A line, as far as its money is concerned."""

    @property
    def line_no(self) -> int: ...
    @property
    def paid(self) -> int: ...
    @property
    def kind(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Discount:
    """Money that was taken off; `line_no` None: off the receipt, and in no line's money.

    `coupon`: 32 hex digits.
    """

    line_no: int | None
    amount: int
    reason: str | None = None
    coupon: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt beside its lines.

    `by_rate`: rate, money without tax, tax. `rates`: by line number the tax rate, and whether the
    line's money has the tax in it; no entry: rate not told, tax included. `off_lines`: what was
    taken off a line, by its number. `tenders`: kind and amount.
    """

    tax: int = 0
    by_rate: tuple[tuple[int, int, int], ...] = ()
    rates: Mapping[int, tuple[int | None, bool]] = field(default_factory=dict)
    off_lines: Mapping[int, int] = field(default_factory=dict)
    discounts: tuple[Discount, ...] = ()
    tenders: tuple[tuple[str, int], ...] = ()
    staff_code: str | None = None
    register_code: str | None = None
    registration_number: str | None = None

    @property
    def off(self) -> int:
        """What was taken off the whole receipt, beside lines of the kind discount."""
        return sum(one.amount for one in self.discounts if one.line_no is None)

    @property
    def tax_told(self) -> int:
        """The tax of all rates together, as it was told."""
        return sum(tax for _, _, tax in self.by_rate) if self.by_rate else self.tax

    def rate(self, line: Charged) -> int | None:
        """The tax rate of a line; None: it was not told."""
        return self.rates.get(line.line_no, PLAIN)[0]

    def tax_included(self, line: Charged, lines: Iterable[Charged], total: int) -> bool:
        """Whether a line's money has the tax in it: unless the line says that it has not, or the
        lines come to the total only together with the tax.
        """
        if not self.rates.get(line.line_no, PLAIN)[1]:
            return False
        due = self.due(lines)
        return due == total or due + self.tax_told != total

    def due(self, lines: Iterable[Charged]) -> int:
        """What the lines come to, less discounts, by what they say: with the tax or without."""
        return sum(map(charge, lines)) - self.off


EMPTY = Receipt()


def charge(line: Charged) -> int:
    """What a line adds to the total; a discount takes off, with whichever sign it was told."""
    return -abs(line.paid) if line.kind == DISCOUNT else line.paid


def told_by(event: PurchaseCompleted | PurchaseAmended) -> Told | None:
    """What the event says beside its lines; None: nothing, and the lines come to the total.

    Most sales end here without a second look at their lines.
    """
    rates, off, paid = [], [], 0
    for line in event.lines:
        paid += line.net_paid if line.kind != DISCOUNT else -abs(line.net_paid)
        if line.tax_rate is not None or not line.tax_included:
            rates.append([line.line_no, line.tax_rate, line.tax_included])
        if line.discount:
            off.append([line.line_no, line.discount])
    told: Told = {"rates": rates} if rates else {}
    if off:
        told["off_lines"] = off
    if event.tax:
        told["tax"] = event.tax
    if event.tax_by_rate:
        told["by_rate"] = [[one.rate_basis_points, one.net, one.tax] for one in event.tax_by_rate]
    if event.discounts:
        told["discounts"] = [
            [one.line_no, one.amount, one.reason_code, one.coupon_id and one.coupon_id.hex()]
            for one in event.discounts
        ]
    if type(event) is PurchaseCompleted:
        _sold_by(event, told)
    return told if told or paid != event.total else None


def _sold_by(event: PurchaseCompleted, told: Told) -> None:
    if event.tenders:
        told["tenders"] = [[one.kind, one.amount] for one in event.tenders]
    if event.staff_code is not None:
        told["staff_code"] = event.staff_code
    if event.register_code is not None:
        told["register_code"] = event.register_code
    if event.registration_number is not None:
        told["registration_number"] = event.registration_number


def receipt_of(told: Told) -> Receipt:
    """The receipt that a document holds."""
    return Receipt(
        told.get("tax", 0),
        tuple((rate, net, tax) for rate, net, tax in told.get("by_rate", ())),
        {line_no: (rate, included) for line_no, rate, included in told.get("rates", ())},
        dict(told.get("off_lines", ())),
        tuple(Discount(*one) for one in told.get("discounts", ())),
        tuple((kind, amount) for kind, amount in told.get("tenders", ())),
        told.get("staff_code"),
        told.get("register_code"),
        told.get("registration_number"),
    )


def not_adding_up(lines: Sequence[Charged], total: int, receipt: Receipt) -> list[str]:
    """Which parts of a receipt do not come to its total: `lines`, `tax`, `tenders`."""
    parts = {
        "lines": _lines_add_up(lines, total, receipt),
        "tax": _tax_adds_up(lines, total, receipt),
        "tenders": not receipt.tenders or total == sum(amount for _, amount in receipt.tenders),
    }
    return [name for name, fits in parts.items() if not fits]


def gross(refund: int, lines: Sequence[Charged], total: int, receipt: Receipt) -> int:
    """The most that a refund of lines comes to, with the tax where the lines are without it."""
    rates = {
        receipt.rate(line) or 0 for line in lines if not receipt.tax_included(line, lines, total)
    }
    due = receipt.due(lines)
    shares = [Fraction(rate, WHOLE) for rate in rates]
    if rates and due > 0:
        shares.append(Fraction(max(0, total - due), due))
    return refund + ceil(refund * max(shares, default=Fraction(0))) + len(rates)


def _lines_add_up(lines: Sequence[Charged], total: int, receipt: Receipt) -> bool:
    """Whether lines, less discounts, plus tax where it is not in them, come to the total."""
    due = receipt.due(lines)
    without = [line for line in lines if not receipt.rates.get(line.line_no, PLAIN)[1]]
    if not without:
        return total in (due, due + receipt.tax_told)
    taxed = {line.line_no: receipt.rate(line) for line in lines if receipt.rate(line)}
    added = {line.line_no: receipt.rate(line) or 0 for line in without}
    if (receipt.by_rate or receipt.tax) and taxed.keys() <= added.keys():
        return due + receipt.tax_told == total
    # the tax was not told, or is that of other lines too: it is rounded once for each rate
    taxes = [Fraction(charge(line) * added[line.line_no], WHOLE) for line in without]
    most = sum(taxes, Fraction(0))
    tax, rounding = total - due, max(1, len({*added.values()} - {0}))
    lowered = receipt.off or any(line.kind == DISCOUNT for line in lines)
    return -rounding < tax < most + rounding if lowered else abs(tax - most) < rounding


def _tax_adds_up(lines: Sequence[Charged], total: int, receipt: Receipt) -> bool:
    """Whether the tax can be in the total, and the rates' sums come to what is taxed."""
    tax = receipt.tax_told
    free = sum(charge(line) for line in lines if line.kind in UNTAXED)
    if abs(tax) > abs(total - free) or tax * (total - free) < 0:
        return False
    if not receipt.by_rate:
        return True
    if receipt.tax not in (0, tax):
        return False
    by_rate = {rate: (net, tax) for rate, net, tax in receipt.by_rate}
    sold = _sold_at(lines, receipt, by_rate)
    taxed = sum(net + tax for net, tax in by_rate.values())
    if None in sold or receipt.off:  # at which rate all was sold or taken off was not told
        return abs(taxed) <= abs(total - free)
    untaxed = sum(map(charge, lines)) - sum(sold.values())
    if taxed != total - untaxed:
        return False
    with_tax = {receipt.tax_included(line, lines, total) for line in lines}
    if len(with_tax) > 1:
        return True
    inside = True in with_tax
    sums = {rate: net + tax if inside else net for rate, (net, tax) in by_rate.items()}
    return all(sums.get(rate or 0, 0) == money for rate, money in sold.items())


def _sold_at(
    lines: Sequence[Charged], receipt: Receipt, by_rate: Mapping[int, object]
) -> Mapping[int | None, int]:
    """The money of lines by tax rate, without lines that no rate is for. None: not told."""
    sold: defaultdict[int | None, int] = defaultdict(int)
    for line in lines:
        rate = receipt.rate(line)
        free = line.kind in UNTAXED if rate is None else rate == 0 and 0 not in by_rate
        if not free:
            sold[rate] += charge(line)
    return sold
