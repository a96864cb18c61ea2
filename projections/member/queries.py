"""Reads of members, their profiles and identifiers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from projections.core import Member, Read
from projections.core.instants import instant
from projections.member import PERSONAL, group, identifier, profile, projection


class SoughtIdentifier(BaseModel):
    """Something a customer shows: a card, an e-mail address, a phone number."""

    model_config = ConfigDict(extra="forbid")
    kind: Annotated[str, Field(min_length=1, max_length=32)]
    value: Annotated[str, Field(min_length=1, max_length=320)]


class Sought(BaseModel):
    """Identifiers of one customer; each is looked up on its own."""

    model_config = ConfigDict(extra="forbid")
    identifiers: list[SoughtIdentifier] = Field(min_length=1, max_length=20)


class MemberFound(BaseModel):
    """A member, and which of the identifiers sent (by number) led to it."""

    member_id: UUID
    profile_ids: list[UUID]
    matched: list[int]


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


@projection.query("/v1/members/resolve", scope="members:read", method="POST")
async def resolve(read: Read, body: Sought) -> list[MemberFound]:
    """Who has this card, this phone, this e-mail? In the body, never in a URL."""
    found: dict[UUID, MemberFound] = {}
    for number, sought in enumerate(body.identifiers):
        index = await read.index(sought.kind, sought.value)
        rows = await read.select(
            [identifier, group],
            "select distinct g.member_id, g.profiles from identifier i"
            " join member_group g using (profile_id)"
            " where i.kind = %(kind)s and i.value_index = %(index)s order by g.member_id limit 50",
            kind=sought.kind,
            index=index,
        )
        for row in rows:
            one = found.setdefault(
                row["member_id"],
                MemberFound(member_id=row["member_id"], profile_ids=row["profiles"], matched=[]),
            )
            one.matched.append(number)
    return list(found.values())


@projection.query("/v1/members", scope="members:read")
async def members(read: Read) -> list[MemberIds]:
    """Every member, page by page."""
    limit, after = read.page()
    rows = await read.select(
        [group],
        "select member_id, profiles as profile_ids, open_case from member_group"
        " where profile_id = member_id and (%(after)s::uuid is null or member_id > %(after)s)"
        " order by member_id limit %(limit)s",
        after=after[0] if after else None,
        limit=limit + 1,
    )
    if len(rows) > limit:
        read.more([rows[limit - 1]["member_id"]])
    return [MemberIds(**row) for row in rows[:limit]]


@projection.query("/v1/members/{member_id}/profiles", scope="members:read", part="profiles")
async def profiles_of(read: Read, member: Member) -> list[Profile]:
    """The source systems' records that are this member."""
    ids = list(member.profile_ids)
    states = {row["profile_id"]: row for row in await read.rows(profile, profile_id=ids)}
    known = await read.rows(identifier, profile_id=ids)
    return [
        await _profile(read, states[one], [row for row in known if row["profile_id"] == one])
        for one in ids
        if one in states
    ]


async def _profile(read: Read, row: dict[str, Any], known: list[dict[str, Any]]) -> Profile:
    subject = row["profile_id"]
    personal = {name: await _opened(read, subject, name, row[name]) for name in PERSONAL}
    identifiers = [
        KnownIdentifier(
            kind=one["kind"],
            verified=one["verified"],
            value=await _opened(read, subject, one["field"], one["value"]),
        )
        for one in known
    ]
    return Profile(
        profile_id=subject,
        source_system=row["source_system"],
        identifiers=identifiers,
        registered_at=None if row["registered_at"] is None else instant(row["registered_at"]),
        erased_at=None if row["erased_at"] is None else instant(row["erased_at"]),
        **personal,
    )


async def _opened(read: Read, subject: UUID, field: str, stored: bytes | None) -> str | None:
    if stored is None:
        return None
    return await read.reveal(subject, UUID(bytes=stored[:16]), field, stored[16:])
