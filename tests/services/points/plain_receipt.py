"""A receipt as a clerk computes it: decimal money in the currency's own unit, step by step.

Independent of the product: nothing of it is used here, and its fractions of integers are decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, getcontext

getcontext().prec = 60
ZERO, ONE = Decimal(0), Decimal(1)
WAYS = {"floor": ROUND_FLOOR, "half_up": ROUND_HALF_UP, "ceil": ROUND_CEILING}
PREPAID = ("GIFT_CARD", "DEPOSIT", "ROUNDING")


def clean(value: Decimal) -> Decimal:
    """Without the noise of divisions that do not end."""
    return value.quantize(Decimal("1e-30"))


def to_digits(value: Decimal, digits: int, way: str = "floor") -> Decimal:
    return clean(value).quantize(ONE.scaleb(-digits), rounding=WAYS[way])


def shared(whole: Decimal, weights: Sequence[Decimal], digits: int) -> list[Decimal]:
    """Parts of `whole` by weight; what is left over goes to who was cut off most, then first."""
    if not any(weights):
        weights = [ONE] * len(weights)
    exact = [clean(whole * weight / sum(weights)) for weight in weights]
    parts = [to_digits(one, digits) for one in exact]
    unit = ONE.scaleb(-digits)
    while sum(parts) < whole:
        cut = [one - part for one, part in zip(exact, parts, strict=True)]
        parts[cut.index(max(cut))] += unit
    return parts


@dataclass(eq=False)
class PlainLine:
    """`paid` for all `units`, of which `back` are gone; `off_each`: given back for each unit."""

    number: int
    sku: str
    kind: str
    units: int
    paid: Decimal
    percent: Decimal | None = None
    inside: bool = True
    back: int = 0
    off_each: Decimal = ZERO

    @property
    def pieces(self) -> int:
        return self.units or 1

    @property
    def here(self) -> int:
        return self.pieces - self.back


@dataclass
class PlainReceipt:
    """A receipt in a currency with so many digits; `aside`: items whose line went to another."""

    digits: int
    lines: list[PlainLine]
    off: Decimal = ZERO
    points_paid: Decimal = ZERO
    tenders: dict[str, Decimal] = field(default_factory=dict)
    printed_tax: dict[Decimal, Decimal] = field(default_factory=dict)
    aside: list[PlainLine] = field(default_factory=list)
    spilt: bool = False
    """Whether a discount is greater than what it can lower, or of a rate that no line has."""

    # -- what becomes of it --------------------------------------------------------------

    def comes_back(self, number: int, sku: str, units: int) -> None:
        for line in (*self.lines, *self.aside):
            if line.sku == sku and line.units:
                line.back += min(units, line.here)

    def gives_back(self, number: int, money: Decimal) -> Decimal:
        """What is beyond the money that the line still costs."""
        (line,) = [one for one in self.lines if one.number == number] or [None]
        if line is None:
            return ZERO
        costs = max(ZERO, (line.paid / line.pieces - line.off_each) * line.here)
        fits = min(money, to_digits(costs, self.digits))
        if line.here:
            line.off_each += fits / line.here
        return money - fits

    def becomes(
        self, lines: Sequence[PlainLine], off: Decimal, tax: dict[Decimal, Decimal]
    ) -> None:
        """Amended: all lines as they are now."""
        self.off, self.printed_tax = off, tax
        before = {line.number: line for line in self.lines}
        known = {(line.number, line.sku): line for line in (*self.lines, *self.aside)}
        self.lines, told = [], {line.number: line for line in lines}
        self.aside = [one for key, one in known.items() if before[key[0]] is not one]
        for new in lines:
            old = known.get((new.number, new.sku))
            if old in self.aside:
                self.aside.remove(old)
            left = before.get(new.number)
            if left is not None and left is not old:
                left.units, left.off_each = left.back, ZERO
                self.aside.append(left)
            self.lines.append(self._anew(old, new))
        for number, line in before.items():
            if number not in told:  # taken off; what came back of it before did come back
                line.units, line.paid, line.off_each = line.back, ZERO, ZERO
                self.lines.append(line)

    @staticmethod
    def _anew(old: PlainLine | None, new: PlainLine) -> PlainLine:
        if old is None:
            return new
        given = old.off_each * old.here
        new.back, new.units = old.back, max(new.units, old.back)
        new.off_each = given / new.here if new.here else ZERO
        return new

    def never_was(self) -> None:
        """Voided."""
        for line in self.lines:
            line.back = line.pieces

    # -- money ---------------------------------------------------------------------------

    def discounted(self) -> list[Decimal]:
        """What each line costs after discounts of the whole receipt."""
        money = [ZERO if one.kind == "DISCOUNT" else max(ZERO, one.paid) for one in self.lines]
        for line in self.lines:
            if line.kind == "DISCOUNT" or (line.paid < 0 and line.kind not in PREPAID):
                self._take_off(money, abs(line.paid), line.percent)
        self._take_off(money, self.off, None)
        return money

    def _take_off(self, money: list[Decimal], off: Decimal, percent: Decimal | None) -> None:
        can = [ZERO if one.kind in PREPAID else has for one, has in zip(self.lines, money)]
        same = [has if one.percent == percent else ZERO for one, has in zip(self.lines, can)]
        by = same if percent is not None and any(same) else can
        self.spilt |= off > sum(by, ZERO) or bool(off and percent is not None and by is can)
        for place, part in enumerate(shared(min(off, sum(by, ZERO)), by, self.digits)):
            money[place] -= part

    def taxes(self, money: Sequence[Decimal], way: str) -> list[Decimal]:
        """The tax in each line's money, or on it: by rate, rounded once."""
        found = [ZERO] * len(self.lines)
        rates = dict.fromkeys(one.percent for one in self.lines if one.percent)
        for percent in rates:
            places = [
                place
                for place, one in enumerate(self.lines)
                if one.percent == percent and one.kind != "DISCOUNT"
            ]
            sold = [money[place] for place in places]
            if not any(sold):
                continue
            on = [100 + percent if self.lines[place].inside else Decimal(100) for place in places]
            own = [has * percent / base for has, base in zip(sold, on, strict=True)]
            tax = self.printed_tax.get(percent, to_digits(sum(own), self.digits, way))
            for place, part in zip(places, shared(tax, own, self.digits), strict=True):
                found[place] = part
        return found

    def due(self, way: str) -> Decimal:
        """The total: what the customer pays."""
        signed = [-abs(one.paid) if one.kind == "DISCOUNT" else one.paid for one in self.lines]
        money = self.discounted()
        added = [
            tax
            for one, tax in zip(self.lines, self.taxes(money, way), strict=True)
            if not one.inside
        ]
        return sum(signed, ZERO) - self.off + sum(added, ZERO)

    # -- points --------------------------------------------------------------------------

    def earning(self, rules: dict[str, object]) -> list[Decimal]:
        """The money of each line that earns."""
        money = self.discounted()
        tax = self.taxes(money, str(rules["tax_rounding"]))
        gross = [
            has if one.inside else has + part
            for one, has, part in zip(self.lines, money, tax, strict=True)
        ]
        excluded = list(rules["excluded_tenders"])  # type: ignore[call-overload]
        other = sum((self.tenders.get(kind, ZERO) for kind in excluded), self.points_paid)
        elsewhere = shared(min(other, sum(gross, ZERO)), gross, self.digits)
        found = []
        for one, has, part, not_here in zip(self.lines, gross, tax, elsewhere, strict=True):
            lowered = to_digits(one.off_each * one.pieces, self.digits)
            left = max(ZERO, has - not_here - lowered)
            if one.kind in (*PREPAID, "DISCOUNT", *rules["excluded_kinds"]):  # type: ignore[misc]
                left = ZERO
            if rules["base_without_tax"] and has:
                left = left * (has - part) / has
            found.append(left)
        return found

    def points(self, rules: dict[str, object]) -> list[int]:
        """One point for a hundred of the smallest coins, less what is gone."""
        hundred = Decimal(100).scaleb(-self.digits)
        exact = [clean(money / hundred) for money in self.earning(rules)]
        way = str(rules["rounding"])
        if rules["rounded_per"] == "receipt":
            earned = shared(to_digits(sum(exact, ZERO), 0, way), exact, 0)
        else:
            earned = [to_digits(one, 0, way) for one in exact]
        most = rules["most_per_receipt"]
        if isinstance(most, int) and sum(earned) > most:
            earned = shared(Decimal(most), earned, 0)
        return [
            int(points - to_digits(points * one.back / one.pieces, 0, "ceil"))
            for points, one in zip(earned, self.lines, strict=True)
        ]
