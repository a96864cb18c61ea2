"""Duplicate search: likely existing profiles of a customer, before a new profile is created.

The search data is compared like an arriving profile and is not stored.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.personal import SubjectSealer
from services.http.problem import Refuse
from services.identity.index import ProfileIndex
from services.identity.matching.features import Person, features
from services.identity.pairs import WEIGHT_DIGITS

TWINS_DEFAULT, TWINS_MAX = 10, 50
IDENTIFIERS = ("email", "phone", "card", "account")
Typed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=320)]


class SearchBody(BaseModel):
    """What is known about the customer, as entered."""

    model_config = ConfigDict(extra="forbid")
    name: Typed | None = None
    name_kana: Typed | None = None
    postcode: Typed | None = None
    address: Typed | None = None
    birth_date: Typed | None = None
    email: Typed | None = None
    phone: Typed | None = None
    card: Typed | None = None
    account: Typed | None = None
    limit: Annotated[int, Field(ge=1, le=TWINS_MAX)] = TWINS_DEFAULT

    @model_validator(mode="after")
    def _something(self) -> SearchBody:
        if not self.model_fields_set - {"limit"}:
            raise ValueError("at least one field besides limit is required")
        return self


def person_of(body: SearchBody, blind_key: bytes) -> Person:
    """The search data in the form of a profile; refuses an identifier that has no normal form."""
    sealer = SubjectSealer({}, blind_key)
    identifiers, errors = list[tuple[str, bytes]](), list[dict[str, str]]()
    for kind in IDENTIFIERS:
        typed = getattr(body, kind)
        if typed is not None:
            try:
                identifiers.append((kind, sealer.index(kind, typed)))
            except ValueError as error:
                errors.append({"pointer": f"/{kind}", "reason": str(error)})
    if errors:
        detail = "An identifier is invalid for its kind; see `errors`."
        raise Refuse(422, "Unprocessable Entity", detail, errors=errors)
    return Person(
        body.name, body.name_kana, body.postcode, body.address, body.birth_date, tuple(identifiers)
    )


def twins(everybody: ProfileIndex, person: Person, limit: int) -> list[dict[str, Any]]:
    """Profiles that may be the customer, likeliest first, with the evidence for and against."""
    typed = features(person)
    found = everybody.known.candidates(typed)
    return [
        {
            "profile_id": one.profile_id,
            "weight": round(one.weight, WEIGHT_DIGITS),
            "probability": round(probability(one.weight), WEIGHT_DIGITS),
            "likely": one.weight >= everybody.model.upper,
            "evidence": everybody.explained(typed, one.profile_id),
        }
        for one in found[:limit]
    ]


def probability(weight: float) -> float:
    """Converts a weight (log2 odds) to the probability that the pair is one person."""
    return 1 / (1 + 2 ** -max(-1000.0, min(1000.0, weight)))
