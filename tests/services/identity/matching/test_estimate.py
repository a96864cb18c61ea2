"""Does an estimate find what was planted, the same in any order, and thresholds from itself?"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from services.identity.matching import Features, MatchModel, em
from services.identity.matching.estimate import estimate
from services.identity.matching.priors import beliefs
from services.identity.matching.sample import Pairs, Sample, sample
from services.identity.matching.thresholds import EXPECTED_WRONG, bits, upper

KINDS = ("phone",)
M = [
    [0.86, 0.03, 0.02, 0.03, 0.01, 0.01, 0.04],
    [0.84, 0.03, 0.03, 0.04, 0.01, 0.01, 0.04],
    [0.9, 0.04, 0.02, 0.01, 0.03],
    [0.2, 0.4, 0.03, 0.02, 0.03, 0.02, 0.02, 0.03, 0.15, 0.1],
    [0.7, 0.3],
]
U = [
    [0.004, 0.001, 0.001, 0.002, 0.01, 0.0001, 0.9819],
    [0.006, 0.001, 0.001, 0.004, 0.01, 0.0001, 0.9779],
    [0.0002, 0.002, 0.003, 0.014, 0.9808],
    [0.0001, 0.0001, 0.0001, 0.0001, 0.0001, 0.0001, 0.0005, 0.0005, 0.002, 0.9964],
    [0.0001, 0.9999],
]


def _drawn(dice: Random, rates: list[list[float]]) -> tuple[int, ...]:
    return tuple(dice.choices(range(len(each)), each)[0] for each in rates)


def test_what_was_planted_is_found() -> None:
    dice = Random(1)
    matches = Counter(_drawn(dice, M) for _ in range(5_000))
    strangers = Counter(_drawn(dice, U) for _ in range(200_000))
    total = 10_000_000
    # of strangers only those that agree in something are seen among the pairs that share a key
    seen = Counter({
        levels: count * (total // 200_000) for levels, count in strangers.items()
        if levels[0] == 0 or levels[2] == 0
    })  # fmt: skip

    classes = em.estimate(Pairs(matches + seen, [], strangers, total), beliefs(KINDS))

    assert classes.match == pytest.approx(5_000 / total, rel=0.1)
    for found, planted in zip(classes.m, M, strict=True):
        assert found == pytest.approx(planted, abs=0.03)
    for found, planted in zip(classes.u, U, strict=True):
        assert found == pytest.approx(planted, rel=0.3, abs=0.0005)


def test_a_missing_value_says_nothing() -> None:
    classes = em.Classes(0.001, 0.001, M, M, U)
    known = em.posterior(classes, (0, 0, -1, -1, -1))

    assert known == em.posterior(classes._replace(m=[*M[:2], *U[2:]]), (0, 0, -1, -1, -1))
    assert sum(known) == pytest.approx(1)


def test_the_order_of_the_profiles_does_not_matter(
    model: MatchModel, everybody: list[Features]
) -> None:
    turned = list(everybody)
    Random(5).shuffle(turned)

    assert estimate(turned).to_json() == model.to_json()


def test_who_is_looked_at_does_not_depend_on_the_order(everybody: list[Features]) -> None:
    chosen = sample(everybody, 1, 100)

    assert 50 <= len(chosen.people) <= 100
    assert chosen == sample(reversed(everybody), 1, 100)
    assert chosen.known == len(everybody)
    assert sample(everybody[:5], 1, 100) == Sample(chosen_all(everybody[:5]), 5)


def chosen_all(few: list[Features]) -> list[Features]:
    """All of a few, in the order of their hashes."""
    return sample(reversed(few), 1, 100).people


def test_a_household_is_seen_in_the_data(model: MatchModel) -> None:
    address = next(one for one in model.comparisons if one.field == "address")
    given = next(one for one in model.comparisons if one.field == "given")

    assert sum(level.h for level in address.levels[:2]) > 0.5
    assert given.levels[-1].name == "different"
    assert given.levels[-1].h > 0.8 > given.levels[-1].m
    assert model.prior.household > 0.2 * model.prior.match


def test_an_estimate_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="people: an estimate needs at least two profiles"):
        estimate([])


def test_the_threshold_goes_down_while_few_are_expected_to_be_wrong() -> None:
    sure = [(20.0, 2**-20, 0.0)] * 999

    assert upper([*sure, (4.0, 1 / 17, 0.0)]) == 4.0
    assert upper([*sure, *[(4.0, 1 / 17, 0.0)] * 999]) > 4.0
    assert upper([*sure, (1.0, 1 / 3, 0.0)]) == 20.0
    assert upper([*sure, (6.0, 1 / 65, 1.0)]) == 20.0
    assert upper([]) == pytest.approx(bits(1 - EXPECTED_WRONG))
