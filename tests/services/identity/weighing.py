"""Rules for tests: a model that weighs like one that was estimated, with thresholds of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from projections.member.rules import DEFAULT, MatchRules
from services.identity.matching import blocking_keys, comparisons
from services.identity.matching.model import MatchModel

Share = tuple[float, float, float]
# of the levels that matter here, among one person's, strangers', a household's pairs; of all
# between agreement and difference `BETWEEN`
BETWEEN: Share = (0.03, 0.004, 0.02)
NAME: dict[str, Share] = {"equal": (0.80, 0.004, 0.90), "different": (0.04, 0.97, 0.03)}
FIELDS: dict[str, dict[str, Share]] = {
    "family": NAME,
    "given": {"equal": (0.80, 0.004, 0.004), "different": (0.04, 0.97, 0.97)},
    "birth_date": {
        "equal": (0.88, 0.0001, 0.0002),
        "year": (0.01, 0.02, 0.02),
        "different": (0.03, 0.97, 0.97),
    },
    "address": {
        "same door": (0.50, 0.0001, 0.80),
        "same house": (0.10, 0.0002, 0.05),
        "street and number": (0.08, 0.0003, 0.03),
        "postcode and city": (0.04, 0.01, 0.02),
        "postcode or city": (0.04, 0.05, 0.02),
        "different": (0.12, 0.93, 0.03),
    },
    "email": {"equal": (0.70, 0.00001, 0.02), "different": (0.30, 0.99999, 0.98)},
    "phone": {"equal": (0.70, 0.00005, 0.30), "different": (0.30, 0.99995, 0.70)},
}


def model(lower: float = 0.0, upper: float = 9.0, silent: Sequence[str] = ()) -> MatchModel:
    """The same for every test, but for the thresholds and fields that say nothing."""
    return MatchModel.of(
        {
            "format": 1,
            "salt": 7,
            "people": 1_000,
            "prior": {"match": 0.0005, "household": 0.0005},
            "comparisons": [
                {"field": field, "levels": _levels(field, levels, field in silent)}
                for field, levels in FIELDS.items()
            ],
            "frequencies": {},
            "blocking": {"keys": list(blocking_keys.NAMES), "crowded": []},
            "personal": ["given", "birth_date", "email"],
            "lower": lower,
            "upper": upper,
        }
    )


def rules(
    version: str, lower: float = 0.0, upper: float = 9.0, silent: Sequence[str] = ()
) -> MatchRules:
    """The default identifiers, and names compared by `model`."""
    matching = model(lower, upper, silent).model_dump()
    return DEFAULT.model_copy(update={"version": version, "matching": matching})


def _levels(field: str, shares: dict[str, Share], silent: bool) -> list[dict[str, Any]]:
    names = comparisons.level_names(field)
    found = {name: (0.5,) * 3 if silent else shares.get(name, BETWEEN) for name in names}
    return [{"name": name, "m": m, "u": u, "h": h} for name, (m, u, h) in found.items()]
