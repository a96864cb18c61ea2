"""Compares dates of birth: equal, a typing error, two of three parts, the year, or different."""

from __future__ import annotations

from functools import lru_cache

EQUAL, SLIP, MONTH, YEAR, DIFFERENT = range(5)
MISSING = -1
LEVELS = ("equal", "one slip", "two of year, month and day", "year", "different")


def compare(one: str, other: str) -> int:
    """The level at which two ISO dates agree; MISSING when either is empty."""
    if not one or not other:
        return MISSING
    return EQUAL if one == other else _unequal(*sorted((one, other)))


@lru_cache(maxsize=1 << 18)
def _unequal(one: str, other: str) -> int:
    apart = [at for at in range(10) if one[at] != other[at]]
    year, month, day = one[:4], one[5:7], one[8:]
    other_year, other_month, other_day = other[:4], other[5:7], other[8:]
    if len(apart) == 1 or (year == other_year and month == other_day and day == other_month):
        return SLIP
    if len(apart) == 2 and apart[1] - apart[0] in (1, 2):
        first, second = apart  # neighbours, a hyphen between them or not
        digits = one.replace("-", ""), other.replace("-", "")
        neighbours = sum(a != b for a, b in zip(*digits)) == 2 and second - first == (
            2 if "-" in one[first : second + 1] else 1
        )
        if neighbours and one[first] == other[second] and one[second] == other[first]:
            return SLIP
    same = (year == other_year) + (month == other_month) + (day == other_day)
    if same == 2:
        return MONTH
    return YEAR if year == other_year else DIFFERENT
