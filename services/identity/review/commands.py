"""The request bodies of staff decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.fields import GivenId

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class PersonDecides(BaseModel):
    """The fields of every decision: who decided, and why."""

    model_config = ConfigDict(extra="forbid")
    actor: Text = Field(description="Who decides: a person of the staff.")
    reason: Text = Field(description="Why. It stays in the log for ever: no personal data here.")


class CaseBody(PersonDecides):
    """Body of a decision on the case in the path."""


class PairBody(PersonDecides):
    """Body of a decision on any two profiles; there need not be a case."""

    profile_id: GivenId
    other_profile_id: GivenId

    @model_validator(mode="after")
    def _two(self) -> PairBody:
        if self.profile_id == self.other_profile_id:
            raise ValueError("other_profile_id must differ from profile_id")
        return self


class SplitBody(PersonDecides):
    """Body of the command that separates one profile from the rest of its member."""

    profile_id: GivenId


Verdict = Literal["link", "decline", "unlink"]


@dataclass(frozen=True, slots=True)
class OfCase:
    """A decision on a case."""

    case_id: UUID
    verdict: Verdict
    body: CaseBody


@dataclass(frozen=True, slots=True)
class OfPair:
    """A decision on any two profiles."""

    verdict: Verdict
    body: PairBody


@dataclass(frozen=True, slots=True)
class SplitMember:
    """Separates one profile from the rest of its member."""

    body: SplitBody


Command = OfCase | OfPair | SplitMember
