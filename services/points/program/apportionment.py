"""Apportionment and rounding: divides an integer into integer parts that sum to it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

Rounding = Literal["floor", "half_up", "ceil"]


def rounded(value: Fraction, rounding: Rounding) -> int:
    """Rounds to an integer: "ceil" up, "half_up" to the nearest (a half up), "floor" down."""
    if rounding == "ceil":
        return -(-value.numerator // value.denominator)
    if rounding == "half_up":
        value += Fraction(1, 2)
    return value.numerator // value.denominator


def shares(whole: int, weights: Sequence[int] | Sequence[Fraction]) -> list[int]:
    """Divides `whole` (not negative) by weight into integers that sum to `whole`.

    Largest remainder method (Hare-Niemeyer); of equal remainders the first gets the unit. Weights
    that are all 0 count as equal; no weights: an empty list.
    """
    if not weights:
        return []
    used: Sequence[int | Fraction] = weights if any(weights) else [1] * len(weights)
    total = sum(used)
    parts = [int(whole * weight // total) for weight in used]
    remainders = [whole * weight % total for weight in used]
    order = sorted(range(len(used)), key=lambda place: -remainders[place])
    for place in order[: whole - sum(parts)]:
        parts[place] += 1
    return parts


def points_left(points: int, gone: Fraction) -> int:
    """The rest of `points` after the fraction `gone` of the goods was returned, rounded down.

    A partial return takes the difference between two such values. So several partial returns take
    as much as one return of all these goods.
    """
    return points - points_earned_by(points, gone)


def points_earned_by(points: int, gone: Fraction) -> int:
    """The part of `points` that the fraction `gone` of the goods had earned, rounded up."""
    return -(-points * gone.numerator // gone.denominator)


def points_paid_for(points: int, gone: Fraction) -> int:
    """The part of `points` that paid for the fraction `gone` of the goods, rounded down."""
    return points * gone.numerator // gone.denominator
