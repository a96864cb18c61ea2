"""The response models of queries about members."""

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
    """An identifier to look up: a card, an e-mail address, a phone number."""

    model_config = ConfigDict(extra="forbid")
    kind: Annotated[str, Field(min_length=1, max_length=32)]
    value: Annotated[str, Field(min_length=1, max_length=320)]


class Sought(BaseModel):
    """Identifiers of one customer; each is looked up separately."""

    model_config = ConfigDict(extra="forbid")
    identifiers: list[SoughtIdentifier] = Field(min_length=1, max_length=20)


class MemberFound(BaseModel):
    """A member, and the indexes of the sent identifiers that led to it.

    `redirected_from`: former member ids that hold one of them and now resolve to this member.
    """

    member_id: UUID
    profile_ids: list[UUID]
    matched: list[int]
    redirected_from: list[UUID]


class MemberIds(BaseModel):
    """A member and its profiles."""

    member_id: UUID
    profile_ids: list[UUID]
    open_case: bool


class KnownIdentifier(BaseModel):
    """An identifier of a profile; `value` only for callers who may see it."""

    kind: str
    value: str | None
    verified: bool


class Profile(BaseModel):
    """One source system's record of the member; personal fields for those who may see them."""

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
    """A field's chosen value, its profile, and the criterion: `only` (no other profile has one),
    `verified`, `source` (more trusted), `newest`, `senior` (the first of equals), or taken with the
    name or address.
    """

    field: str
    value: str | None
    profile_id: UUID
    source_system: str | None
    given_at: datetime
    because: Because


class Step(BaseModel):
    """One step: by a `person`, a `unique` or `strong` identifier of both, or a link of a `rule`.

    `value` is set only for callers who may see it. `first_seen`: on this profile, and on the other.
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
    """What keeps two profiles apart, or does not count as a link: a decision by staff (`person`);
    different unique identifiers of one kind; an identifier in quarantine, unverified or weak; a
    link of other rules, or a retracted one.
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
    member_id: UUID
    profile_ids: list[UUID]
    redirected_from: UUID | None = Field(description="The id asked for, when it is another.")


class Why(BaseModel):
    """Whether two profiles are one member. If they are, `path` is what joins them; if not, `path`
    is what would join them without `against`.
    """

    profile_id: UUID
    other_profile_id: UUID
    member_id: UUID
    other_member_id: UUID
    one_member: bool
    path: list[Step]
    against: list[Against]


class Holder(BaseModel):
    """A profile that has a value in quarantine; `still_together`: it is joined with another of them
    otherwise.
    """

    profile_id: UUID
    member_id: UUID
    verified: bool
    first_seen: datetime
    last_seen: datetime
    still_together: bool


class InQuarantine(BaseModel):
    """An identifier that connects no profiles, and the profiles that have it (the first 100).

    It is `blocked`, on more profiles than `limit`, or on too many within one `window`.
    """

    kind: str
    value_index: Index
    value: str | None
    reason: Quarantine
    profiles: int
    holders: list[Holder]
