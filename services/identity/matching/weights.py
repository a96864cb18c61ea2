"""How much speaks for one person? The weight of a pair, field by field.

The weight is the log2 odds that the two are one person rather than strangers or a household:

    weight = -log2(2^-s + 2^-t),  s = log2(P(match)/P(stranger)) + sum log2(m/u),
                                  t = log2(P(match)/P(household)) + sum log2(m/h)

so a household's address, phone and family name, which m and h share, cannot carry a pair by
themselves. Where two agree in a term whose share is known, that share takes the place of u
(Winkler 1989, as in Splink); a household chooses given names as strangers do.
"""

from __future__ import annotations

from math import exp2, log2
from typing import NamedTuple

from services.identity.matching.comparisons import Compared
from services.identity.matching.model import Model, hashed

HOUSEHOLD = "household"
PRIOR = "prior"


class FieldEvidence(NamedTuple):
    """What one field says, in bits; `prior` and `household` are what the model says of itself."""

    field: str
    level: str
    weight: float


class Weights:
    """The model, as sums want it. Pure: it never learns."""

    def __init__(self, model: Model) -> None:
        prior = model.prior
        self._salt = model.salt
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
        self._rarity = [_Rarity(model, at) for at in range(len(self._fields))]
        self._drawn_alone = [field == "given" for field in self._fields]

    def weight(self, compared: Compared) -> float:
        """Bits in favour of one person; negative bits against."""
        strangers, household = self._prior
        terms = compared.terms
        for at, level in enumerate(compared.levels):
            if level < 0:
                continue
            strangers += self._strangers[at][level]
            household += self._household[at][level]
            if terms[at]:
                rarity = self._rarity[at].of(level, terms[at])
                strangers += rarity
                if self._drawn_alone[at]:
                    household += rarity
        return _either(strangers, household)

    def evidence(self, compared: Compared) -> tuple[FieldEvidence, ...]:
        """Every field that is known to both; the weights add up to that of the pair."""
        found = [FieldEvidence(PRIOR, "", self._prior[0])]
        for at, level in enumerate(compared.levels):
            if level < 0:
                continue
            weight = self._strangers[at][level]
            if compared.terms[at]:
                weight += self._rarity[at].of(level, compared.terms[at])
            found.append(FieldEvidence(self._fields[at], self._names[at][level], weight))
        left = self.weight(compared) - sum(one.weight for one in found)
        return (*found, FieldEvidence(HOUSEHOLD, "", left))


class _Rarity:
    """What it adds to log2(m/u) that two agree in this term, and not in just any."""

    def __init__(self, model: Model, at: int) -> None:
        comparison = model.comparisons[at]
        self._salt, self._field = model.salt, comparison.field
        self._log_u = [log2(level.u) for level in comparison.levels]
        known = model.frequencies.get(comparison.field)
        self._terms = (
            {int(term, 16): log2(share) for term, share in known.terms.items()} if known else {}
        )
        self._others = log2(known.others) if known and known.others else None
        self._known: dict[str, float | None] = {}

    def of(self, level: int, term: str) -> float:
        try:
            share = self._known[term]
        except KeyError:
            share = self._terms.get(hashed(self._salt, f"{self._field}\x1f{term}"), self._others)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[term] = share
        return 0.0 if share is None else self._log_u[level] - share


_REMEMBERED = 100_000


def _either(strangers: float, household: float) -> float:
    """-log2(2^-strangers + 2^-household), without leaving the range of floats."""
    low, high = min(strangers, household), max(strangers, household)
    return low - log2(1 + exp2(low - high))
