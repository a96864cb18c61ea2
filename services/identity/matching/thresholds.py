"""Chooses the weights from which pairs are linked or become cases, by the model's own odds.

A weight is the log2 odds that a pair is one person. So the model predicts, for all pairs above a
threshold, how many are wrong and how many of those are a household: the sums of the probabilities.
No labelled pairs are needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from math import log2
from operator import itemgetter

EXPECTED_WRONG = 0.002
"""Expected share of wrong links; less than half of what is tolerated, since the model errs."""
EXPECTED_HOUSEHOLDS, SOME_HOUSEHOLD = 0.0001, 0.5
"""Expected share of links that join a household: very low, because a relative could then spend the
points. The limit is not applied while fewer than SOME_HOUSEHOLD such pairs are expected in all."""
LINKED, LONE, CASE = 0.8, 0.998, 0.1
"""Minimum probabilities of one person: LINKED for a link by rule, LONE for it when the data has no
pair to derive a threshold from, CASE for a review case."""


def bits(probability: float) -> float:
    """The log2 odds of a probability."""
    return log2(probability / (1 - probability))


LOWER, LEAST_UPPER = bits(CASE), bits(LINKED)


def upper(pairs: Iterable[tuple[float, float, float]]) -> float:
    """The lowest link threshold at which the expected shares of wrong links stay within the limits.

    It is at least the log2 odds of `LINKED`, and those of `LONE` if no threshold is within them.
    `pairs`: for each pair that shares a key, its weight, the probability that it is not one person,
    and the probability that it is a household.
    """
    found = bits(LONE)
    count = 0
    wrong = households = 0.0
    ordered = sorted(pairs, reverse=True)
    for weight, alike in groupby(ordered, key=itemgetter(0)):  # equal weights: linked together
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
