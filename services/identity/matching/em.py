"""Estimates how often each level occurs in pairs of one person, of a household, and of strangers.

Expectation-maximisation over the levels of pairs that share a blocking key (Fellegi and Sunter
1969, Winkler 1988), with three classes. Pairs that share no key count as strangers. A pair's class
depends on its levels alone, so selecting pairs by shared keys does not bias it. The rates of
strangers are those of random pairs, or of pairs that share a key where these are higher; a pair
counts by its probability of being strangers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log
from typing import NamedTuple

from services.identity.matching.sample import Pairs

Rates = list[list[float]]
"""For each field, the probability of each level."""


class Classes(NamedTuple):
    """The estimated parameters: shares of the classes among all pairs, and the rates of levels."""

    match: float
    household: float
    m: Rates
    h: Rates
    u: Rates


class Beliefs(NamedTuple):
    """The starting values, and priors for what the data does not determine."""

    m: Rates
    h: Rates
    own: frozenset[int]
    """Fields in which members of a household agree as rarely as strangers, except for `least`."""
    least: Mapping[int, Mapping[int, float]]
    """Lower bounds of the household rates of those fields' levels (twins, siblings)."""
    fixed: frozenset[int]
    """Fields whose household rates are taken from the prior, not estimated."""
    unique: frozenset[int]
    """Fields that are blocking keys: every pair that agrees in them is in `Pairs.blocked`."""


M_PSEUDO, H_PSEUDO, U_PSEUDO = 1.0, 50.0, 0.5
"""Weight of a prior, in pseudo-counts (pairs)."""
LEAST_HOUSEHOLDS = 0.01
"""Least number of household pairs per pair of one person, even when none is observed."""
RAREST = 1e-8
ROUNDS, STILL = 60, 1e-4


def estimate(pairs: Pairs, beliefs: Beliefs) -> Classes:
    """The parameters at convergence, or after 60 iterations."""
    total = pairs.total
    blocked = sum(pairs.blocked.values())
    start = min(0.2, max(1.0, 0.1 * blocked) / total)
    classes = Classes(start, start, beliefs.m, beliefs.h, beliefs.m)
    classes = classes._replace(u=_strangers(pairs, classes, beliefs, first=True))
    for _ in range(ROUNDS):
        fresh = _round(pairs, classes, beliefs)
        moved = max(
            abs(new - old) for news, olds in zip(fresh.m, classes.m) for new, old in zip(news, olds)
        )
        settled = abs(fresh.match - classes.match) < STILL * classes.match
        classes = fresh
        if moved < STILL and settled:
            break
    return classes


def posterior(classes: Classes, levels: Sequence[int]) -> tuple[float, float, float]:
    """The probabilities of: same person, household, strangers."""
    return _Posterior(classes)(levels)


class _Posterior:
    def __init__(self, classes: Classes) -> None:
        strangers = 1 - classes.match - classes.household
        self._priors = (log(classes.match), log(classes.household), log(strangers))
        self._logs = [
            [[log(rate) for rate in rates] for rates in fields]
            for fields in (classes.m, classes.h, classes.u)
        ]

    def __call__(self, levels: Sequence[int]) -> tuple[float, float, float]:
        found = list(self._priors)
        for kind, fields in enumerate(self._logs):
            found[kind] += sum(rates[level] for rates, level in zip(fields, levels) if level >= 0)
        highest = max(found)
        odds = [exp(one - highest) for one in found]
        whole = sum(odds)
        return odds[0] / whole, odds[1] / whole, odds[2] / whole


def _round(pairs: Pairs, classes: Classes, beliefs: Beliefs) -> Classes:
    of = _Posterior(classes)
    same, family = _zeros(beliefs.m), _zeros(beliefs.m)
    matches = households = 0.0
    for levels, count in pairs.blocked.items():
        match, household, _ = of(levels)
        match, household = match * count, household * count
        matches += match
        households += household
        for field, level in enumerate(levels):
            if level >= 0:
                same[field][level] += match
                family[field][level] += household
    u = _strangers(pairs, classes, beliefs)
    h = [
        _relatives(u[field], beliefs.least.get(field, {}))
        if field in beliefs.own
        else beliefs.h[field]
        if field in beliefs.fixed
        else _rates(family[field], beliefs.h[field], H_PSEUDO)
        for field in range(len(u))
    ]
    match = max(matches, 0.5) / pairs.total
    household = max(households / pairs.total, LEAST_HOUSEHOLDS * match)
    m = [_rates(same[field], beliefs.m[field], M_PSEUDO) for field in range(len(u))]
    return Classes(match, household, m, h, u)


def _strangers(pairs: Pairs, classes: Classes, beliefs: Beliefs, first: bool = False) -> Rates:
    """Rates of strangers: per level the higher one of random pairs and of pairs that share a key.

    A unique field takes the latter only. `first`: no classes yet, so only random pairs count.
    """
    of = _Posterior(classes) if not first else None
    drawn, shared = _zeros(beliefs.m), _zeros(beliefs.m)
    for levels, count in pairs.random.items():
        weight = count * (of(levels)[2] if of else 1.0)
        for field, level in enumerate(levels):
            if level >= 0:
                drawn[field][level] += weight
    if of:
        for levels, count in pairs.blocked.items():
            weight = count * of(levels)[2]
            for field, level in enumerate(levels):
                if level >= 0:
                    shared[field][level] += weight
    scale = pairs.total / max(1, sum(pairs.random.values()))
    found = []
    for field, counts in enumerate(drawn):
        known = max(1.0, sum(counts))
        rates = [(count + U_PSEUDO) / (known + U_PSEUDO * len(counts)) for count in counts]
        for level in range(len(rates) - 1):
            seen = (shared[field][level] + U_PSEUDO) / (known * scale)
            unique = field in beliefs.unique and of is not None
            rates[level] = max(RAREST, seen if unique else max(rates[level], seen))
        found.append(_whole(rates))
    return found


def _relatives(strangers: Sequence[float], least: Mapping[int, float]) -> list[float]:
    return _whole([max(rate, least.get(level, 0.0)) for level, rate in enumerate(strangers)])


def _rates(counts: Sequence[float], belief: Sequence[float], pseudo: float) -> list[float]:
    return _whole([count + pseudo * rate for count, rate in zip(counts, belief)])


def _whole(rates: Sequence[float]) -> list[float]:
    whole = sum(rates)
    return [rate / whole for rate in rates]


def _zeros(like: Rates) -> Rates:
    return [[0.0] * len(rates) for rates in like]
