"""Compares names: family and given name, by written form and by reading.

Written form and reading are one comparison: they nearly always agree together, so counting both
would count the same evidence twice.
"""

from __future__ import annotations

from services.identity.matching import similarity
from services.identity.matching.features import Features

EQUAL, READ, ONE_FORM, NEAR, SIMILAR, SWAPPED, DIFFERENT = range(7)
MISSING = -1
LEVELS = (
    "equal", "equal in reading", "equal in one form", "near", "similar", "swapped", "different",
)  # fmt: skip
""""equal in reading": only readings are known to both. "equal in one form": either the writing or
the reading is equal, and the other one is not."""
UNDIVIDED = "\x1d"
"""Prefix of the term of an undivided name that consists of family and given name."""

_OF_LIKENESS = (EQUAL, NEAR, SIMILAR, DIFFERENT)
_FULL_LENGTH = 3
"""Minimum length of an undivided text that is taken for family and given name together; one in
Latin letters never is."""

Compared = tuple[int, int, str, str]
"""Level of family and of given name, and the terms they agree in, "" where they do not."""


def compare(one: Features, other: Features) -> Compared:
    """The levels of family and given name, and the terms that agree; see `_undivided` for names
    that are written without a space.
    """
    if one.whole or other.whole or one.whole_reading or other.whole_reading:
        return _undivided(one, other)
    if one.given != other.given or one.family != other.family or not one.family:
        swapped = _swapped(one, other)
        if swapped:
            return swapped
    family, family_term = _part(one.family, other.family, one.family_reading, other.family_reading)
    given, given_term = _part(one.given, other.given, one.given_reading, other.given_reading)
    return family, given, family_term, given_term


def _part(one: str, other: str, one_reading: str, other_reading: str) -> tuple[int, str]:
    """The level of one part (family or given name), and the equal term ("" if none)."""
    written = _level(one, other)
    if written == EQUAL and (one_reading == other_reading or not one_reading or not other_reading):
        return EQUAL, one
    heard = _level(one_reading, other_reading)
    level = _both(written, heard)
    if level == MISSING or level > ONE_FORM:
        return level, ""
    return level, one if written == EQUAL else one_reading


def _level(one: str, other: str) -> int:
    return _OF_LIKENESS[similarity.alike(one, other)] if one and other else MISSING


def _both(written: int, heard: int) -> int:
    """Combines the levels of writing and reading into one.

    READ: only readings are known, and equal. ONE_FORM: one is equal, the other known and not equal.
    Otherwise the closer level; MISSING when neither is known.
    """
    if written == MISSING:
        return READ if heard == EQUAL else heard
    if heard == MISSING:
        return written
    if written == EQUAL or heard == EQUAL:
        return EQUAL if written == heard else ONE_FORM
    return min(written, heard)


def _swapped(one: Features, other: Features) -> Compared | None:
    """Compares with one profile's family and given name swapped; None if they then do not agree.

    Readings are used only where the written forms are not both known, since readings within one
    household are often similar.
    """
    if one.family and other.family:
        return _across(one.family, one.given, other.family, other.given)
    if one.family_reading and other.family_reading:
        return _across(
            one.family_reading, one.given_reading, other.family_reading, other.given_reading
        )
    return None


def _across(family: str, given: str, other_family: str, other_given: str) -> Compared | None:
    first, second = family == other_given, given == other_family
    if family == other_family or given == other_given or not (first or second):
        return None
    rest = (given, other_family) if first else (family, other_given)
    if not (first and second) and similarity.alike(*rest) > similarity.NEAR:
        return None
    # Which of the two is the family name is unknown; sorted, so that the pair's order is no matter.
    terms = sorted((min(family, other_given), min(given, other_family)))
    return SWAPPED, SWAPPED, terms[0], terms[1]


def _undivided(one: Features, other: Features) -> Compared:
    written = _divided(one.whole, one.family, one.given, other.whole, other.family, other.given)
    heard = _divided(
        one.whole_reading, one.family_reading, one.given_reading,
        other.whole_reading, other.family_reading, other.given_reading,
    )  # fmt: skip
    family, given = _both(written[0], heard[0]), _both(written[1], heard[1])
    first, second = (written, heard) if _is_divided(written) else (heard, written)
    return family, given, first[2] or second[2], first[3] or second[3]


def _is_divided(compared: Compared) -> bool:
    return bool(compared[3]) and not compared[3].startswith(UNDIVIDED)


def _divided(
    whole: str, family: str, given: str, other_whole: str, other_family: str, other_given: str
) -> Compared:
    """Compares by parts if both names are split, as whole texts if neither is, else `_against`."""
    if not (whole or family) or not (other_whole or other_family):
        return MISSING, MISSING, "", ""
    if not whole and not other_whole:
        first, second = _level(family, other_family), _level(given, other_given)
        return first, second, "" if first else family, "" if second else given
    if whole and other_whole:
        level = _OF_LIKENESS[similarity.alike(whole, other_whole)]
        if not (_is_full(whole) and _is_full(other_whole)):
            return level, MISSING, "" if level else whole, ""
        term = "" if level else UNDIVIDED + whole
        return level, level, term, term
    if whole:
        return _against(whole, other_family, other_given)
    return _against(other_whole, family, given)


def _against(whole: str, family: str, given: str) -> Compared:
    """Compares an undivided text with a family and a given name, joined or either alone."""
    if whole in (family + given, given + family):
        return EQUAL, EQUAL, family, given
    if whole == family:
        return EQUAL, MISSING, family, ""
    if whole == given:
        return MISSING, EQUAL, "", given
    if whole.startswith(family) and _is_full(whole):
        return EQUAL, _OF_LIKENESS[similarity.alike(whole[len(family) :], given)], family, ""
    if whole.endswith(given) and _is_full(whole):
        return _OF_LIKENESS[similarity.alike(whole[: -len(given)], family)], EQUAL, "", given
    both, first, second = (
        _OF_LIKENESS[similarity.alike(whole, part)] for part in (family + given, family, given)
    )
    if _is_full(whole) or both < min(first, second):
        return both, both, "", ""
    return (first, MISSING, "", "") if first <= second else (MISSING, second, "", "")


def _is_full(whole: str) -> bool:
    """Whether the text is taken for family and given name together; False for Latin letters."""
    return not whole.isascii() and len(whole) >= _FULL_LENGTH
