"""How much speaks for one person? The weight of a pair, field by field.

The weight is the log2 odds that the two are one person rather than strangers or a household:

    weight = -log2(2^-s + 2^-t),  s = log2(P(match)/P(stranger)) + sum log2(m/u),
                                  t = log2(P(match)/P(household)) + sum log2(m/h)

so a household's address, phone and family name, which m and h share, cannot carry a pair by
themselves. And whatever they sum to: where nothing personal agrees (given name, birth date, a
number of one's own), a person decides. Where two agree in a term whose share is known, that share
takes the place of u (Winkler 1989, as in Splink); a household chooses given names as strangers do.
"""

from __future__ import annotations

from math import exp2, inf, log2, nextafter
from typing import NamedTuple

from services.identity.matching.comparisons import MISSING, Compared, level_names
from services.identity.matching.model import Model
from services.identity.matching.rarity import Rarities

_MOST = 1000.0
HOUSEHOLD = "household"
PRIOR = "prior"


class FieldEvidence(NamedTuple):
    """What one field says, in bits; `prior` and `household` are what the model says of itself."""

    field: str
    level: str
    weight: float


class Weights:
    """The model, as sums want it. Pure: what it keeps are answers it would give again."""

    def __init__(self, model: Model) -> None:
        prior = model.prior
        self._fields = [one.field for one in model.comparisons]
        self._names = [[level.name for level in one.levels] for one in model.comparisons]
        self._strangers = [
            [log2(level.m / level.u) for level in one.levels] for one in model.comparisons
        ]
        self._household = [
            [log2(level.m / level.h) for level in one.levels] for one in model.comparisons
        ]
        self._prior = (
            log2(prior.match / (1 - prior.match - prior.household)),
            log2(prior.match / prior.household),
        )
        self._rarities = Rarities(model)
        self._personal = [
            (self._fields.index(field), len(level_names(field)) - 1) for field in model.personal
        ]
        self._below_upper = nextafter(model.upper, -inf)
        self._drawn_alone = [field == "given" for field in self._fields]

    def weight(self, compared: Compared) -> float:
        """Bits in favour of one person; negative bits against."""
        weight = _either(*self.against(compared))
        return weight if self._is_personal(compared) else min(weight, self._below_upper)

    def against(self, compared: Compared) -> tuple[float, float]:
        """Bits for one person rather than strangers, and rather than two of one household."""
        strangers, household = self._prior
        terms = compared.terms
        for at, level in enumerate(compared.levels):
            if level < 0:
                continue
            strangers += self._strangers[at][level]
            household += self._household[at][level]
            if terms[at]:
                rarity = self._rarities.of(at, level, terms[at])
                strangers += rarity
                if self._drawn_alone[at]:
                    household += rarity
        return strangers, household

    def wrong(self, compared: Compared) -> tuple[float, float, float]:
        """The weight, the probability that it is not one person, and that it is a household."""
        strangers, household = (min(bits, _MOST) for bits in self.against(compared))
        whole = 1 + exp2(-strangers) + exp2(-household)
        return self.weight(compared), 1 - 1 / whole, exp2(-household) / whole

    def _is_personal(self, compared: Compared) -> bool:
        """Something agrees that one has alone, not with all who live there."""
        levels = compared.levels
        return any(MISSING < levels[at] < different for at, different in self._personal)

    def evidence(self, compared: Compared) -> tuple[FieldEvidence, ...]:
        """Every field that is known to both; the weights add up to that of the pair."""
        found = [FieldEvidence(PRIOR, "", self._prior[0])]
        for at, level in enumerate(compared.levels):
            if level < 0:
                continue
            weight = self._strangers[at][level]
            if compared.terms[at]:
                weight += self._rarities.of(at, level, compared.terms[at])
            found.append(FieldEvidence(self._fields[at], self._names[at][level], weight))
        left = self.weight(compared) - sum(one.weight for one in found)
        return (*found, FieldEvidence(HOUSEHOLD, "", left))


def _either(strangers: float, household: float) -> float:
    """-log2(2^-strangers + 2^-household), without leaving the range of floats."""
    low, high = min(strangers, household), max(strangers, household)
    return low - log2(1 + exp2(low - high))
