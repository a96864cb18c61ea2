"""Estimates a match model from the profiles alone, without labelled pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.identity.matching import blocking_keys, em, thresholds
from services.identity.matching.comparisons import PERSONAL, level_names
from services.identity.matching.features import Features
from services.identity.matching.frequencies import frequencies
from services.identity.matching.model import (
    FORMAT,
    Blocking,
    FieldComparison,
    Level,
    MatchModel,
    Prior,
)
from services.identity.matching.priors import beliefs, personal
from services.identity.matching.sample import Sample, crowded, pairs, sample
from services.identity.matching.weights import Weights

MOST = 200_000
"""Maximum number of profiles to estimate from; of more, a sample is chosen by hash."""
PROBES, AT_RANDOM = 20_000, 1_000_000
"""Number of profiles whose pairs are compared, and number of random pairs."""
CROWD = 60
"""Maximum number of profiles per blocking key; more common keys are not used."""
SALT = 0x9E3779B97F4A7C15


def estimate(people: Iterable[Features], salt: int = SALT) -> MatchModel:
    """Estimates the model of these profiles; their order does not matter.

    Its thresholds follow from its own probabilities (`thresholds`), not from labelled pairs.
    ValueError when there are fewer than two profiles.
    """
    chosen = sample(people, salt, MOST)
    if len(chosen.people) < 2:
        raise ValueError("people: an estimate needs at least two profiles")
    kinds = tuple(sorted({kind for one in chosen.people for kind, _ in one.identifiers}))
    index, common = crowded(chosen, salt, blocking_keys.NAMES, CROWD)
    seen = pairs(chosen, index, common, salt, blocking_keys.NAMES, kinds, PROBES, AT_RANDOM)
    classes = em.estimate(seen, beliefs(kinds))
    model = _model(chosen, salt, kinds, classes, common)
    weights = Weights(model)
    return model.model_copy(update={"upper": thresholds.upper(map(weights.wrong, seen.compared))})


def _model(
    chosen: Sample, salt: int, kinds: Sequence[str], classes: em.Classes, common: set[int]
) -> MatchModel:
    fields = (*PERSONAL, *kinds)
    compared = [
        FieldComparison(
            field=field,
            levels=[
                Level(name=name, m=m, u=u, h=h)
                for name, m, u, h in zip(
                    level_names(field), classes.m[at], classes.u[at], classes.h[at], strict=True
                )
            ],
        )
        for at, field in enumerate(fields)
    ]
    agreeing = {field: classes.match * classes.m[at][0] for at, field in enumerate(fields)}
    return MatchModel(
        format=FORMAT, salt=salt, people=chosen.known,
        prior=Prior(match=classes.match, household=classes.household),
        comparisons=compared,
        frequencies=frequencies(chosen.people, salt, kinds, agreeing),
        blocking=Blocking(
            keys=list(blocking_keys.NAMES), crowded=sorted(f"{key:016x}" for key in common)
        ),
        personal=personal(kinds),
        lower=thresholds.LOWER, upper=thresholds.LEAST_UPPER,
    )  # fmt: skip
