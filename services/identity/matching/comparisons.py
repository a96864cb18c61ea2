"""The comparisons of a pair: their order, and the levels of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.identity.matching import dates, names, places
from services.identity.matching.features import Features

PERSONAL = ("family", "given", "birth_date", "address")
"""The first comparisons; every further one compares a kind of identifier."""

MISSING = -1
SHARED, OTHER = range(2)
IDENTIFIER_LEVELS = ("equal", "different")


class ComparedPair(NamedTuple):
    """Per comparison, the level (MISSING: a profile lacks the field) and the term that is equal.

    A term is a name, a date, a place or an identifier's blind index; the model holds frequencies of
    terms. It is "" when no term is equal.
    """

    levels: tuple[int, ...]
    terms: tuple[str, ...]


def level_names(field: str) -> tuple[str, ...]:
    """The levels of a comparison, closest agreement first."""
    return _LEVELS.get(field, IDENTIFIER_LEVELS)


_LEVELS = {
    "family": names.LEVELS,
    "given": names.LEVELS,
    "birth_date": dates.LEVELS,
    "address": places.LEVELS,
}


def compare(one: Features, other: Features, kinds: Sequence[str]) -> ComparedPair:
    """Compares two profiles field by field; their order does not matter."""
    family, given, family_term, given_term = names.compare(one, other)
    born = dates.compare(one.birth_date, other.birth_date)
    place, place_term = places.compare(one, other)
    levels = [family, given, born, place]
    terms = [family_term, given_term, one.birth_date if born == dates.EQUAL else "", place_term]
    mine, theirs = one.identifiers, other.identifiers
    for kind in kinds:
        level, term = _identifier(kind, mine, theirs) if mine and theirs else (MISSING, "")
        levels.append(level)
        terms.append(term)
    return ComparedPair(tuple(levels), tuple(terms))


def _identifier(
    kind: str, mine: Sequence[tuple[str, bytes]], theirs: Sequence[tuple[str, bytes]]
) -> tuple[int, str]:
    """SHARED, with the value, when both lists have an equal one of this kind; else OTHER.

    MISSING when a list has none of this kind.
    """
    known = False
    for named, value in mine:
        if named == kind:
            for other_named, other in theirs:
                if other_named == kind:
                    if value == other:
                        return SHARED, value.hex()
                    known = True
    return (OTHER, "") if known else (MISSING, "")
