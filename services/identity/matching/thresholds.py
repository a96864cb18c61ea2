"""From which weight on is a pair linked, from which on a case? The model's own odds say.

A weight is the log2 odds that a pair is one person. So the model expects how many of all pairs
above a threshold are wrong, and how many of those are two people of one household: the sums of
these probabilities. No pair that is known to be true is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from math import log2
from operator import itemgetter

EXPECTED_WRONG = 0.002
"""Of all that is linked: a model errs too, so it is asked for less than half of what is borne."""
EXPECTED_HOUSEHOLDS, SOME_HOUSEHOLD = 0.0001, 0.5
"""Of all that is linked: whose points a relative spends has lost them, so hardly ever. Where so few
are linked that not even half a pair is expected, the share says nothing yet."""
LINKED, LONE, CASE = 0.8, 0.998, 0.1
"""No pair less likely than this is linked, or, where none is seen to judge by, than LONE; none
that is less likely than CASE takes a person's time."""


def bits(probability: float) -> float:
    """log2 of its odds."""
    return log2(probability / (1 - probability))


LOWER, LEAST_UPPER = bits(CASE), bits(LINKED)


def upper(pairs: Iterable[tuple[float, float, float]]) -> float:
    """The least weight down to which the linked are expected to be wrong so seldom.

    Of each pair that shares a key: its weight, the probability that it is not one person, and
    that it is a household.
    """
    found = bits(LONE)
    count = 0
    wrong = households = 0.0
    ordered = sorted(pairs, reverse=True)
    for weight, alike in groupby(ordered, key=itemgetter(0)):  # the equal are linked together
        for _, strange, related in alike:
            count += 1
            wrong += strange
            households += related
        if weight < LEAST_UPPER or wrong > EXPECTED_WRONG * count:
            break
        if households > max(SOME_HOUSEHOLD, EXPECTED_HOUSEHOLDS * count):
            break
        found = weight
    return found
