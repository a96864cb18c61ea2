"""Adjusts a pair's weight by how rare the terms are in which it agrees."""

from __future__ import annotations

from math import inf, log2

from services.identity.matching.model import MatchModel, hashed, term_of
from services.identity.matching.names import UNDIVIDED

_REMEMBERED = 100_000
"""Maximum number of cached terms; the cache is cleared when full."""
_FAMILY, _GIVEN = 0, 1
MOST_BITS = 2.0
"""Maximum bits that a rare term adds: strangers who share a rare family name are often related or
from one place, so their other fields are not independent."""


class Rarities:
    """A model's term frequencies, as bits to add to log2(m/u) of a level."""

    def __init__(self, model: MatchModel) -> None:
        self._salt = model.salt
        self._fields = [one.field for one in model.comparisons]
        self._log_u = [[log2(level.u) for level in one.levels] for one in model.comparisons]
        self._terms: list[dict[int, float]] = []
        self._others: list[float | None] = []
        for field in self._fields:
            known = model.frequencies.get(field)
            listed = known.terms if known else {}
            self._terms.append({int(term, 16): log2(share) for term, share in listed.items()})
            self._others.append(log2(known.others) if known and known.others else None)
        self._known: list[dict[str, float | None]] = [{} for _ in self._fields]

    def of(self, at: int, level: int, term: str) -> float:
        """Bits to add to the weight of the comparison with index `at`.

        Positive (at most `MOST_BITS`) if the term is rarer than the level's u, negative if it is
        more common, 0 if its frequency is unknown.
        """
        known = self._known[at]
        try:
            share = known[term]
        except KeyError:
            share = self._undivided(at, term) if term[0] == UNDIVIDED else self._share(at, term)
            if len(known) >= _REMEMBERED:
                known.clear()
            known[term] = share
        return 0.0 if share is None else min(MOST_BITS, self._log_u[at][level] - share)

    def _share(self, at: int, term: str) -> float | None:
        hash = hashed(self._salt, term_of(self._fields[at], term))
        return self._terms[at].get(hash, self._others[at])

    def _undivided(self, at: int, term: str) -> float | None:
        """log2 of the frequency of part `at` of a name, split in the most common way; or None."""
        whole = term.removeprefix(UNDIVIDED)
        best, found = -inf, None
        for cut in range(1, len(whole)):
            shares = self._share(_FAMILY, whole[:cut]), self._share(_GIVEN, whole[cut:])
            if None not in shares and sum(filter(None, shares)) > best:
                best, found = sum(filter(None, shares)), shares[at]
        return found
