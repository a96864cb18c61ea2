"""What is found from a threshold on, and which threshold would have been best?"""

from __future__ import annotations

import math

from tests.benchmarks.linkage.counting import closed, closing, rates
from tests.benchmarks.linkage.records import Pairs

Scored = list[tuple[float, frozenset[str]]]
"""Match weights (logarithms to base 2 of the odds) with their pairs, the heaviest first."""


def above(scored: Scored, probability: float) -> Pairs:
    """Those of at least such a probability."""
    least = math.log2(probability / (1 - probability))
    return {pair for weight, pair in scored if weight >= least}


def best(scored: Scored, truth: Pairs, is_closed: bool) -> tuple[float, Pairs]:
    """The threshold of the highest F1, as a probability, and the pairs or clusters from it on.

    It is chosen by the truth, as nobody can who links records for work.
    """
    added = closing(pair for _, pair in scored) if is_closed else ({pair} for _, pair in scored)
    right = linked = until = 0
    highest = 0.0
    for nth, ((weight, _), new) in enumerate(zip(scored, added), 1):
        right, linked = right + len(new & truth), linked + len(new)
        is_last_of_its_weight = nth == len(scored) or scored[nth][0] < weight
        f1 = rates(right, linked, len(truth))[2]
        if is_last_of_its_weight and f1 > highest:
            highest, until = f1, nth
        if rates(len(truth), linked, len(truth))[2] < highest:
            break  # all that is missing could not make up for what is wrong already
    pairs = {pair for _, pair in scored[:until]}
    least = scored[until - 1][0] if until else math.inf
    return 1 / (1 + 2**-least), closed(pairs) if is_closed else pairs
