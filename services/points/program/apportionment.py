"""How is a whole number shared out so that the parts make the whole?"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def shares(whole: int, weights: Sequence[int]) -> list[int]:
    """`whole` (not negative) by weight, in whole numbers that sum to it: the largest remainders
    get what is left, the first of equal ones (Hare's and Niemeyer's method).

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


def kept(points: int, gone: Fraction) -> int:
    """What stays of `points` when such a part of the goods is gone, rounded down.

    Steps of it are what partial returns take: whatever the steps, they sum to the whole, and
    between them nobody is left with more than the goods that stay have earned.
    """
    return points - taken(points, gone)


def taken(points: int, gone: Fraction) -> int:
    """What such a part of the goods had earned, rounded up."""
    return -(-points * gone.numerator // gone.denominator)


def given_back(points: int, gone: Fraction) -> int:
    """What such a part of the goods was paid with, rounded down; for all of it: all."""
    return points * gone.numerator // gone.denominator
