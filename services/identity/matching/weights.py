"""The weight of a pair: the evidence for one person, field by field.

The weight is the log2 odds that the two are one person rather than strangers or a household:

    weight = -log2(2^-s + 2^-t),  s = log2(P(match)/P(stranger)) + sum log2(m/u),
                                  t = log2(P(match)/P(household)) + sum log2(m/h)

So a household's address, phone and family name, which m and h share, cannot link a pair by
themselves. Whatever the sum, a pair is linked by rule only if a personal field agrees (given name,
birth date, personal number); otherwise it is left to staff. Where the data shows families, stronger
evidence is required: an equal given name (siblings' names may be similar or sound alike), an equal
birth date with at least a similar given name (twins share the date), or a personal number. Where
two profiles agree in a term with known frequency, that frequency replaces u (Winkler 1989, as in
Splink); given names within a household are treated as for strangers.
"""

from __future__ import annotations

from math import exp2, inf, log2, nextafter
from typing import NamedTuple

from services.identity.matching import dates, names
from services.identity.matching.comparisons import MISSING, SHARED, ComparedPair, level_names
from services.identity.matching.model import MatchModel
from services.identity.matching.rarity import MOST_BITS, Rarities

_Sums = tuple[float, float, bool]
"""Bits for one person against strangers; against a household; whether a personal field agrees."""
_MOST = 1000.0
_REMEMBERED = 100_000
GIVEN, BORN = "given", "birth_date"
FAMILIES = 0.05
"""Household pairs per pair of one person; the estimation gives 0.01 when it saw none."""
HOUSEHOLD = "household"
PRIOR = "prior"


class FieldEvidence(NamedTuple):
    """One field's level and weight in bits; `prior` and `household` are terms of the model."""

    field: str
    level: str
    weight: float


class Weights:
    """Computes the weights of pairs under a model; its only state is caches."""

    def __init__(self, model: MatchModel) -> None:
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
        place = {field: at for at, field in enumerate(self._fields)}
        self._personal = [(place[field], len(level_names(field)) - 1) for field in model.personal]
        self._families = prior.household > FAMILIES * prior.match
        self._own = [place[field] for field in model.personal if field not in (GIVEN, BORN)]
        self._given = place[GIVEN] if GIVEN in model.personal else None
        self._born = place[BORN] if BORN in model.personal else None
        self._known: dict[tuple[int, ...], _Sums] = {}
        self._below_upper = nextafter(model.upper, -inf)
        self._drawn_alone = [field == GIVEN for field in self._fields]

    def weight(self, compared: ComparedPair) -> float:
        """The pair's weight in bits: positive for one person, negative against."""
        sums = self._sums(compared)
        weight = _either(sums[0], sums[1])
        return weight if sums[2] else min(weight, self._below_upper)

    def at_least(self, compared: ComparedPair, lower: float) -> float | None:
        """The weight; None when it is below `lower`, which the levels alone show for most pairs."""
        levels, terms = compared
        plain = self._of_levels(levels)
        most = MOST_BITS * (len(terms) - terms.count(""))
        if plain[0] + most < lower or plain[1] + most < lower:
            return None
        weight = self.weight(compared)
        return weight if weight >= lower else None

    def wrong(self, compared: ComparedPair) -> tuple[float, float, float]:
        """The weight, and the probabilities that the pair is not one person, and is a household."""
        strangers, household = (min(bits, _MOST) for bits in self._sums(compared)[:2])
        whole = 1 + exp2(-strangers) + exp2(-household)
        return self.weight(compared), 1 - 1 / whole, exp2(-household) / whole

    def _sums(self, compared: ComparedPair) -> _Sums:
        """Both sums, and whether a personal field agrees; with the rarity of equal terms."""
        strangers, household, personal = self._of_levels(compared.levels)
        for at, term in enumerate(compared.terms):
            if term:
                rarity = self._rarities.of(at, compared.levels[at], term)
                strangers += rarity
                if self._drawn_alone[at]:
                    household += rarity
        return strangers, household, personal

    def _of_levels(self, levels: tuple[int, ...]) -> _Sums:
        """Like `_sums`, without terms; cached, since the same few thousand level tuples recur."""
        found = self._known.get(levels)
        if found is None:
            strangers, household = self._prior
            for at, level in enumerate(levels):
                if level >= 0:
                    strangers += self._strangers[at][level]
                    household += self._household[at][level]
            personal = (
                self._sure(levels)
                if self._families
                else any(MISSING < levels[at] < different for at, different in self._personal)
            )
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[levels] = strangers, household, personal
        return found

    def _sure(self, levels: tuple[int, ...]) -> bool:
        """Whether a field agrees that tells the members of a household apart."""
        if any(levels[at] == SHARED for at in self._own):
            return True
        given = MISSING if self._given is None else levels[self._given]
        if MISSING < given <= names.READ:
            return True
        born = MISSING if self._born is None else levels[self._born]
        return born == dates.EQUAL and MISSING < given < names.DIFFERENT

    def evidence(self, compared: ComparedPair) -> tuple[FieldEvidence, ...]:
        """The weight of every field known in both profiles; with `prior` and `household` they sum
        up to the pair's weight.
        """
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
    """-log2(2^-strangers + 2^-household), computed without overflow."""
    low, high = min(strangers, household), max(strangers, household)
    return low - log2(1 + exp2(low - high))
