"""How common are names, places and other terms? Frequencies, so that rare agreements weigh more.

Agreeing in 佐藤 is weaker evidence than agreeing in 勅使河原, and sharing the phone
number of a whole office is none. Terms of fewer than ten profiles are not listed, because they
could identify persons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from services.identity.matching.comparisons import PERSONAL
from services.identity.matching.features import Features
from services.identity.matching.model import Frequencies, hashed, term_of

LEAST_PEOPLE = 10
MOST_TERMS = 1_200
"""Maximum number of listed terms per field: the rules are one event of at most 256 KiB."""
_OTHERS = frozenset(("family", "given"))
"""Fields whose unlisted terms are rarer than the level's average u."""


def frequencies(
    people: Sequence[Features], salt: int, kinds: Sequence[str], matches: Mapping[str, float]
) -> dict[str, Frequencies]:
    """Term frequencies by field.

    `matches`: for each field, the share of all pairs that agree in it because they are one person.
    """
    found = {}
    for field in (*PERSONAL, *kinds):
        counts: Counter[str] = Counter()
        known = 0
        for one in people:
            terms = set(_terms(field, one))
            known += bool(terms)
            counts.update(terms)
        listed = [pair for pair in counts.items() if pair[1] >= LEAST_PEOPLE]
        listed = sorted(listed, key=lambda pair: (-pair[1], pair[0]))[:MOST_TERMS]
        others = None
        if field in _OTHERS and known > 1:
            rest = counts - Counter(dict(listed))
            others = _share(list(rest.values()), known, matches[field])
        if listed or others:
            found[field] = Frequencies(
                terms={
                    _hash(salt, field, term): float(f"{min(count / known, 0.999):.3g}")
                    for term, count in sorted(listed)
                },
                others=others,
            )
    return found


def _hash(salt: int, field: str, term: str) -> str:
    return f"{hashed(salt, term_of(field, term)):016x}"


def _share(counts: Sequence[int], known: int, matches: float) -> float | None:
    """The probability that two strangers agree in an unlisted term; None if all are listed."""
    whole = sum(counts)
    if not whole:
        return None
    met = sum(count * (count - 1) for count in counts) / (whole * (known - 1))
    return max(1 / known, met - matches)


def _terms(field: str, one: Features) -> Iterator[str]:
    match field:
        case "family":
            yield from filter(None, (one.family, one.family_reading))
            if one.whole.isascii() and one.whole:
                yield one.whole
        case "given":
            yield from filter(None, (one.given, one.given_reading))
        case "birth_date":
            yield from filter(None, (one.birth_date,))
        case "address":
            yield from filter(None, (one.town, one.city, one.postcode))
            if one.town and one.block:
                yield f"{one.town}\x1f{one.block}"
        case _:
            for kind, value in one.identifiers:
                if kind == field:
                    yield value.hex()
