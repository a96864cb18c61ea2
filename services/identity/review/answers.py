"""The response bodies of the review routes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from services.deciding.answers import OutcomeAnswers, Position, Yes
from services.http.operation import AnswerModel
from services.http.problem_type import ProblemType
from services.identity.review.outcomes import (
    CaseClosed,
    CaseUnknown,
    OnlyProfileOfMember,
    ProfilesNotLinked,
    ProfilesUnknown,
    ProfileToSplitUnknown,
    VerdictGiven,
    VerdictOutcome,
)


class FieldWeight(AnswerModel):
    """One field's evidence; `weight` in bits, positive if it speaks for one person."""

    field: str
    level: str | None
    weight: float


class Twin(AnswerModel):
    """An existing profile that may be the customer being entered.

    `weight`: log2 odds that they are one person. `likely`: it reaches the link threshold.
    """

    profile_id: UUID
    member_id: UUID
    weight: float
    probability: float
    likely: bool
    evidence: list[FieldWeight]


class Twins(AnswerModel):
    """Candidates, likeliest first; at most `limit` of the request."""

    rule_version: str
    twins: list[Twin]
    position: Position


class PairEntry(AnswerModel):
    """Two profiles that may be one person; `weight`: log2 odds that they are.

    `outcome` to `reason`: of a closed case. A staff decision has `event_id`, `actor` and `reason`.
    """

    kind: Literal["pair"]
    case_id: UUID
    state: Literal["open", "closed"]
    profile_ids: list[UUID]
    member_ids: list[UUID | None]
    weight: float
    evidence: list[str]
    rule_version: str
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    event_id: UUID | None
    actor: str | None
    reason: str | None


class ConflictEntry(AnswerModel):
    """A member that shares strong identifiers with another but was not joined with it.

    `case_id` is the member's id.
    """

    kind: Literal["conflict"]
    case_id: UUID
    state: Literal["open"]
    profile_ids: list[UUID]
    member_ids: list[UUID]


class QuarantineEntry(AnswerModel):
    """An identifier that does not link profiles: too many have it, or the rules block it.

    `profiles`: how many have it. `profile_ids`: the first 50 of them.
    """

    kind: Literal["quarantine"]
    case_id: UUID
    state: Literal["open"]
    identifier: str
    why: str
    profiles: int
    profile_ids: list[UUID]


Entry = Annotated[PairEntry | ConflictEntry | QuarantineEntry, Field(discriminator="kind")]


class Cases(AnswerModel):
    """A page of the queue; `next` is the cursor of the following page, null on the last."""

    cases: list[Entry]
    next: str | None
    position: Position


class SharedValue(AnswerModel):
    """A profile outside the member that has an identifier of the same value, of this kind."""

    kind: str
    profile_id: UUID


class CaseIdentifier(AnswerModel):
    """One identifier; its value needs the scope `members:personal` and a purpose, otherwise
    null.
    """

    kind: str
    verified: bool
    value: str | None


class CaseProfile(AnswerModel):
    """A profile, field by field; `holds` names the fields that have a value."""

    profile_id: UUID
    source_system: str | None
    registered_at: datetime | None
    holds: list[str]
    name: str | None
    name_kana: str | None
    postcode: str | None
    address: str | None
    birth_date: str | None
    identifiers: list[CaseIdentifier]


class PairDecision(AnswerModel):
    """A staff decision on two of the profiles; `together`: they are one person."""

    profile_ids: list[UUID]
    together: bool
    decided_at: datetime
    event_id: UUID
    actor: str | None
    reason: str | None


class PairCase(PairEntry):
    """A case of two profiles, with the evidence for and against one person.

    `fields` is empty while profiles cannot be compared, and when one of the two is unknown.
    """

    fields: list[FieldWeight]
    profiles: list[CaseProfile]
    decisions: list[PairDecision]
    position: Position


class ConflictCase(ConflictEntry):
    """A member that could not be joined, and profiles with which it shares identifiers.

    `shared_with`: at most 50.
    """

    shared_with: list[SharedValue]
    profiles: list[CaseProfile]
    decisions: list[PairDecision]
    position: Position


Case = Annotated[PairCase | ConflictCase, Field(discriminator="kind")]


class VerdictAnswer(AnswerModel):
    """The decision was stored; its events are in the outbox."""

    outcome: VerdictOutcome
    case_id: UUID | SkipJsonSchema[None] = None
    profile_ids: list[UUID] | SkipJsonSchema[None] = Field(
        None, description="The profiles from which the profile was split."
    )
    event_ids: list[UUID]


NO_SUCH_CASE = ProblemType("case-not-found", 404, "Not Found", "There is no such case.")
NO_SUCH_PROFILE = ProblemType(
    "profiles-not-found", 404, "Not Found",
    "Such a profile is not known, or was erased; see `profile_ids`.",
    {"profile_ids": list[UUID]},
)  # fmt: skip
NOTHING_KNOWN = ProblemType(
    "nothing-known-of-profile", 404, "Not Found", "The profile in the request is unknown."
)
CASE_CLOSED = ProblemType(
    "case-closed", 409, "Decided before", "The case is closed; see `outcome`.",
    {"outcome": str | None, "actor": str | None, "reason": str | None},
)  # fmt: skip
NOT_LINKED = ProblemType(
    "not-linked", 409, "Not linked", "The two profiles are not one member; decline them instead."
)
ONLY_PROFILE = ProblemType(
    "only-profile", 409, "Alone", "The profile is the only one of its member."
)
ANSWERS = OutcomeAnswers(
    accepted={VerdictGiven: Yes(VerdictAnswer)},
    denied={
        CaseUnknown: NO_SUCH_CASE,
        CaseClosed: CASE_CLOSED,
        ProfilesUnknown: NO_SUCH_PROFILE,
        ProfileToSplitUnknown: NO_SUCH_PROFILE,
        ProfilesNotLinked: NOT_LINKED,
        OnlyProfileOfMember: ONLY_PROFILE,
    },
)
