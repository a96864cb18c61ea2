"""What does an agreement say? Levels with their probabilities, how common terms are, thresholds.

A pair is one of three things: the same person (m), two people of one household (h), or strangers
(u). For each level of each comparison the model holds how often it is met in each of the three.
This is the record linkage of Fellegi and Sunter (1969) with one class more, since a household
shares what strangers never do.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

import xxhash
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.rejection import rejection
from services.identity.matching import blocking_keys, comparisons

FORMAT = 1
SALT = (1 << 64) - 1

Probability = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Level(_StrictModel):
    """How often the level is met among the same person's, strangers', a household's pairs."""

    name: str
    m: Probability
    u: Probability
    h: Probability


class FieldComparison(_StrictModel):
    """One field and its levels, the closest agreement first."""

    field: str
    levels: list[Level]


class Frequencies(_StrictModel):
    """How common the terms of a field are: shares of the profiles that have the field."""

    terms: dict[Hash, Probability]
    """Only terms of many people, by their keyed hash."""
    others: Probability | None = None
    """The share of any other term; None says the level's own u."""


class Prior(_StrictModel):
    """The share of the same person's, and of a household's, among all pairs."""

    match: Probability
    household: Probability


class Blocking(_StrictModel):
    """Which keys bring pairs together, and the hashes of those too common to be used."""

    keys: list[str]
    crowded: list[Hash]


class MatchModel(_StrictModel):
    """All that decides about a pair; the same model weighs it the same everywhere."""

    format: int
    salt: Annotated[int, Field(ge=0, le=SALT)]
    """Keys every hash of this model."""
    people: Annotated[int, Field(ge=2)]
    """Profiles it was estimated from."""
    prior: Prior
    comparisons: list[FieldComparison]
    frequencies: dict[str, Frequencies]
    blocking: Blocking
    personal: list[str]
    """Fields that one does not share with those one lives with; no pair is linked without one."""
    lower: Annotated[float, Field(allow_inf_nan=False)]
    """From this weight on a pair is a case for a person."""
    upper: Annotated[float, Field(allow_inf_nan=False)]
    """From this weight on it is linked."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.format != FORMAT:
            raise ValueError(f"format must be {FORMAT}")
        if self.upper < self.lower:
            raise ValueError("upper must not be below lower")
        fields = [one.field for one in self.comparisons]
        if tuple(fields[: len(comparisons.PERSONAL)]) != comparisons.PERSONAL:
            raise ValueError(f"comparisons must begin with {', '.join(comparisons.PERSONAL)}")
        if len(set(fields)) < len(fields):
            raise ValueError("comparisons must not name a field twice")
        for one in self.comparisons:
            wanted = comparisons.level_names(one.field)
            if tuple(level.name for level in one.levels) != wanted:
                raise ValueError(f"comparisons of {one.field} must have the levels {wanted}")
        strange = [field for field in self.personal if field not in fields]
        if strange:
            raise ValueError(f"personal names no comparison: {strange[0][:50]}")
        unknown = [key for key in self.blocking.keys if key not in blocking_keys.NAMES]
        if unknown:
            raise ValueError(f"blocking.keys must be among {', '.join(blocking_keys.NAMES)}")
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of identifiers that are compared."""
        return tuple(one.field for one in self.comparisons[len(comparisons.PERSONAL) :])

    def to_json(self) -> str:
        """As it is written into the rules; `from_json` reads it back unchanged."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> MatchModel:
        """The model; ValueError names the field and the reason."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ValueError(_reason(error)) from None

    @classmethod
    def of(cls, rules: Any) -> MatchModel:
        """The model in `matching` of parsed rules; ValueError names the field and the reason."""
        try:
            return cls.model_validate(rules)
        except ValidationError as error:
            raise ValueError(_reason(error)) from None


def hashed(salt: int, text: str) -> int:
    """The keyed eight bytes under which a term or a blocking key is known."""
    return int(xxhash.xxh3_64_intdigest(text.encode(), salt))


def term_of(field: str, term: str) -> str:
    """What of a field's term is hashed."""
    return f"{field}\x1f{term}"


def _reason(error: ValidationError) -> str:
    refused = rejection(error)
    field = ".".join(("matching", *filter(None, [refused.field])))
    reason = refused.reason.removeprefix("Value error, ")
    return f"{field}: {reason.replace('of this event', 'of a model')}"
