"""Prior probabilities of the estimation: starting values, and defaults where data is missing.

They are orders of magnitude, which a few thousand pairs outweigh. The prior of household rates
counts as much as fifty pairs, other priors as one pair or less.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.identity.matching import dates, names
from services.identity.matching.comparisons import PERSONAL
from services.identity.matching.em import Beliefs

_SAME_NAME = [0.75, 0.05, 0.05, 0.05, 0.02, 0.03, 0.05]
_SAME = {
    "family": _SAME_NAME,
    "given": _SAME_NAME,
    "birth_date": [0.88, 0.06, 0.02, 0.01, 0.03],
    "address": [0.25, 0.25, 0.06, 0.04, 0.06, 0.06, 0.02, 0.05, 0.06, 0.15],
}
_SAME_IDENTIFIER = [0.7, 0.3]
_HOUSEHOLD = {
    "family": [0.8, 0.05, 0.02, 0.02, 0.01, 0.01, 0.09],
    "address": [0.3, 0.3, 0.06, 0.04, 0.06, 0.06, 0.02, 0.03, 0.03, 0.1],
    "phone": [0.5, 0.5],
    "email": [0.1, 0.9],
    "device": [0.3, 0.7],
}
_PERSONAL_IDENTIFIER = [0.002, 0.998]
"""Other kinds of identifiers are personal; now and then one is entered for a relative."""
_RELATIVES = {
    "birth_date": {dates.EQUAL: 0.01, dates.SLIP: 0.02, dates.MONTH: 0.02},
    "given": {names.READ: 0.004, names.ONE_FORM: 0.004, names.NEAR: 0.01, names.SIMILAR: 0.04},
}
"""How often relatives agree closely: one birth in a hundred is a twin's; siblings may have similar
names and birth dates; children may be named after parents. In-laws share given names as rarely as
strangers."""


def personal(kinds: Sequence[str]) -> list[str]:
    """The fields that people do not share with their household."""
    return [field for field in (*PERSONAL, *kinds) if field not in _HOUSEHOLD]


def beliefs(kinds: Sequence[str]) -> Beliefs:
    """The priors for the personal comparisons and these kinds of identifiers."""
    fields = (*PERSONAL, *kinds)
    return Beliefs(
        m=[_SAME.get(field, _SAME_IDENTIFIER) for field in fields],
        h=[_HOUSEHOLD.get(field, _PERSONAL_IDENTIFIER) if field not in _RELATIVES
           else _SAME[field] for field in fields],
        own=frozenset(at for at, field in enumerate(fields) if field in _RELATIVES),
        fixed=frozenset(fields.index(kind) for kind in kinds if kind not in _HOUSEHOLD),
        least={at: _RELATIVES[field] for at, field in enumerate(fields) if field in _RELATIVES},
        unique=frozenset(range(len(PERSONAL), len(fields))),
    )  # fmt: skip
