"""The match model: probabilities per level, term frequencies, thresholds.

A pair is one of three classes: the same person (m), two people of one household (h), or strangers
(u). For each level of each comparison the model holds its probability in each class. This is the
record linkage model of Fellegi and Sunter (1969) with a third class, because households share
address, phone and family name, which strangers do not.
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
    """A level's probability in pairs of one person (m), of strangers (u), of a household (h)."""

    name: str
    m: Probability
    u: Probability
    h: Probability


class FieldComparison(_StrictModel):
    """One field and its levels, closest agreement first."""

    field: str
    levels: list[Level]


class Frequencies(_StrictModel):
    """Frequencies of a field's terms, as shares of the profiles that have the field."""

    terms: dict[Hash, Probability]
    """Share of each common term, by its keyed hash."""
    others: Probability | None = None
    """Share of any term that is not listed; None: the level's u is used."""


class Prior(_StrictModel):
    """The shares of pairs of one person, and of pairs of a household, among all pairs."""

    match: Probability
    household: Probability


class Blocking(_StrictModel):
    """The blocking keys in use, and hashes of key values that are too common to be used."""

    keys: list[str]
    crowded: list[Hash]


class MatchModel(_StrictModel):
    """Everything that determines a pair's weight; the same model gives the same weight
    everywhere.
    """

    format: int
    salt: Annotated[int, Field(ge=0, le=SALT)]
    """The key of all hashes in this model."""
    people: Annotated[int, Field(ge=2)]
    """Number of profiles at the estimate, which uses a sample of them if there are many."""
    prior: Prior
    comparisons: list[FieldComparison]
    frequencies: dict[str, Frequencies]
    blocking: Blocking
    personal: list[str]
    """Fields not shared within a household; a pair is linked only if one of them agrees."""
    lower: Annotated[float, Field(allow_inf_nan=False)]
    """Pairs of at least this weight become a case for review."""
    upper: Annotated[float, Field(allow_inf_nan=False)]
    """Pairs of at least this weight are linked by rule."""

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
            raise ValueError(f"personal: {strange[0][:50]} is not a field of comparisons")
        unknown = [key for key in self.blocking.keys if key not in blocking_keys.NAMES]
        if unknown:
            raise ValueError(f"blocking.keys must be among {', '.join(blocking_keys.NAMES)}")
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of identifiers that are compared."""
        return tuple(one.field for one in self.comparisons[len(comparisons.PERSONAL) :])

    def to_json(self) -> str:
        """The JSON that is part of the rules; `from_json` restores an equal model."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> MatchModel:
        """The model in this JSON; ValueError names field and reason."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ValueError(_reason(error)) from None

    @classmethod
    def of(cls, rules: Any) -> MatchModel:
        """The model in the part `matching` of match rules, as parsed JSON; ValueError names field
        and reason.
        """
        try:
            return cls.model_validate(rules)
        except ValidationError as error:
            raise ValueError(_reason(error)) from None


def hashed(salt: int, text: str) -> int:
    """The keyed 64-bit hash under which the model stores a term or blocking key."""
    return int(xxhash.xxh3_64_intdigest(text.encode(), salt))


def term_of(field: str, term: str) -> str:
    """The text that is hashed for a term of a field."""
    return f"{field}\x1f{term}"


def _reason(error: ValidationError) -> str:
    refused = rejection(error)
    field = ".".join(("matching", *filter(None, [refused.field])))
    reason = refused.reason.removeprefix("Value error, ")
    return f"{field}: {reason.replace('of this event', 'of a model')}"
