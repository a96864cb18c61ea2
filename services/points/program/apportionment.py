"""Apportionment: divides an integer into integer parts that sum to it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def shares(whole: int, weights: Sequence[int]) -> list[int]:
    """`whole` (not negative) divided by weight into integers that sum to it: the largest remainders
    get what is left, the first of equal ones (Hare-Niemeyer method).

    Weights that are all 0 count as equal.
    """
    if not weights:
        return []
    used = list(weights) if any(weights) else [1] * len(weights)
    total = sum(used)
    parts = [whole * weight // total for weight in used]
    remainders = [whole * weight % total for weight in used]
    order = sorted(range(len(used)), key=lambda place: -remainders[place])
    for place in order[: whole - sum(parts)]:
        parts[place] += 1
    return parts


def points_left(points: int, gone: Fraction) -> int:
    """What remains of `points` when this fraction of the goods is returned, rounded down.

    Partial returns take the differences between such values. They sum to the whole whatever the
    steps, and in between nobody keeps more points than the remaining goods earned.
    """
    return points - points_earned_by(points, gone)


def points_earned_by(points: int, gone: Fraction) -> int:
    """What this fraction of the goods had earned, rounded up."""
    return -(-points * gone.numerator // gone.denominator)


def points_paid_for(points: int, gone: Fraction) -> int:
    """What this fraction of the goods was paid with in points, rounded down; for all goods:
    everything.
    """
    return points * gone.numerator // gone.denominator
