"""The request and response models of queries about members."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from projections.member.edges import Quarantine
from projections.member.golden_record import Because
from projections.member.path import By, Reason

Index = Annotated[str, Field(description="The value's blind index, in hexadecimal.")]


class SoughtIdentifier(BaseModel):
    """An identifier to look up, such as a card, an e-mail address or a phone number."""

    model_config = ConfigDict(extra="forbid")
    kind: Annotated[str, Field(min_length=1, max_length=32)]
    value: Annotated[str, Field(min_length=1, max_length=320)]


class Sought(BaseModel):
    """Identifiers to look up, independently of each other."""

    model_config = ConfigDict(extra="forbid")
    identifiers: list[SoughtIdentifier] = Field(min_length=1, max_length=20)


class MemberFound(BaseModel):
    """A member with an identifier of the request. `matched`: indexes of these identifiers, from 0.

    `redirected_from`: other profiles with such an identifier, which now belong to this member.
    """

    member_id: UUID
    profile_ids: list[UUID]
    matched: list[int]
    redirected_from: list[UUID]


class MemberIds(BaseModel):
    """A member and its profiles; `open_case`: their grouping waits for a decision by staff."""

    member_id: UUID
    profile_ids: list[UUID]
    open_case: bool


class KnownIdentifier(BaseModel):
    """An identifier of a profile; `value` is null for callers who may not see it."""

    kind: str
    value: str | None
    verified: bool


class Profile(BaseModel):
    """A profile: a source system's record of the customer.

    Personal fields are null for callers who may not see them.
    """

    profile_id: UUID
    source_system: str | None
    registered_at: datetime | None
    erased_at: datetime | None
    name: str | None
    name_kana: str | None
    postcode: str | None
    address: str | None
    birth_date: str | None
    identifiers: list[KnownIdentifier]


class GoldenField(BaseModel):
    """A field's chosen value, the profile it is from, and why it was chosen (`because`).

    `only`: no other profile has one; `verified`; `source`: the most trusted system; `newest`;
    `senior`: of equals, the profile registered first; `with_name`, `with_address`: from the profile
    whose name or address was chosen.
    """

    field: str
    value: str | None
    profile_id: UUID
    source_system: str | None
    given_at: datetime
    because: Because


class Step(BaseModel):
    """A step between two profiles: `by` a staff decision (`person`), a `unique` or `strong`
    identifier that both have, or a link of a `rule`.

    `value` is null for callers who may not see it. `first_seen`, `other_first_seen`: when the
    identifier was first seen on the profile and on the other profile.
    """

    profile_id: UUID
    other_profile_id: UUID
    by: By
    kind: str | None = None
    value_index: Index | None = None
    value: str | None = None
    first_seen: datetime | None = None
    other_first_seen: datetime | None = None
    decided_at: datetime | None = None
    actor: str | None = None
    rule_version: str | None = None
    weight: float | None = None
    evidence: list[str] = []


class Against(BaseModel):
    """Why two profiles are not one member: what keeps them apart, or does not count as a link.

    `person`: separated by staff; `unique_conflict`: different unique identifiers of the same kind;
    `quarantined`, `unverified`, `weak`: a common identifier that does not connect; `other_rules`,
    `retracted`: a link by rule that does not count.
    """

    reason: Reason
    profile_ids: list[UUID]
    kind: str | None = None
    value_index: Index | None = None
    value: str | None = None
    quarantine: Quarantine | None = None
    decided_at: datetime | None = None
    actor: str | None = None
    rule_version: str | None = None
    weight: float | None = None
    evidence: list[str] = []


class MemberHead(BaseModel):
    """The ids of a member."""

    member_id: UUID
    profile_ids: list[UUID]
    redirected_from: UUID | None = Field(description="The requested id, if not the member id.")


class Why(BaseModel):
    """Whether two profiles are one member, and why.

    `path`: the steps that connect them, or would connect them without `against`; may be empty.
    """

    profile_id: UUID
    other_profile_id: UUID
    member_id: UUID
    other_member_id: UUID
    one_member: bool
    path: list[Step]
    against: list[Against]


class Holder(BaseModel):
    """A profile that has an identifier in quarantine.

    `still_together`: it is one member with another profile that has it, for another reason.
    """

    profile_id: UUID
    member_id: UUID
    verified: bool
    first_seen: datetime
    last_seen: datetime
    still_together: bool


class InQuarantine(BaseModel):
    """An identifier in quarantine: it connects no profiles. `holders`: the first 100 that have it.

    `reason`: `blocked` by the rules; `limit`: too many profiles have it; `window`: too many
    profiles got it within the time window of the rules.
    """

    kind: str
    value_index: Index
    value: str | None
    reason: Quarantine
    profiles: int
    holders: list[Holder]
