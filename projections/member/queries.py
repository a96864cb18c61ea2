"""The queries about members: look-up by identifier, profiles, golden record, and why profiles are
one member.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from projections.core import NotFound, Page, Read, Subject
from projections.core.instants import instant
from projections.member import PERSONAL, group, identifier, profile, projection, quarantine
from projections.member.answers import (
    Against,
    GoldenField,
    InQuarantine,
    KnownIdentifier,
    MemberFound,
    MemberHead,
    MemberIds,
    Profile,
    Sought,
    Step,
    Why,
)
from projections.member.golden_record import SourcedValue, golden
from projections.member.neighbour_rows import NeighbourRows, in_force
from projections.member.path import Linked
from projections.member.path import Objection as Counted
from projections.member.path import PathStep as Gone

_WHOLE = """
select own.member_id, head.profiles from member_group own
join member_group head on head.profile_id = own.member_id where own.profile_id = %(profile_id)s
"""


@projection.resolver
async def member(read: Read, profile_id: UUID) -> Subject | None:
    """The id of a member, present or former, or of a profile."""
    rows = await read.rows(group, profile_id=profile_id)
    if not rows:
        return None
    member_id, profiles = rows[0]["member_id"], rows[0]["profiles"]
    if profiles is None:  # a large member: only its own row lists the profiles
        (whole,) = await read.select([group], _WHOLE, profile_id=profile_id)
        member_id, profiles = whole["member_id"], whole["profiles"]
    return Subject(member_id, tuple(profiles), profile_id if profile_id != member_id else None)


@projection.query("/v1/members/{member_id}", scope="members:read", parts=True)
async def member_of(read: Read, member: Subject) -> MemberHead:
    """A member with all parts that the token may see; other parts are absent."""
    return MemberHead(
        member_id=member.id,
        profile_ids=list(member.ids),
        redirected_from=member.redirected_from,
    )


@projection.query("/v1/members/resolve", scope="members:read", method="POST")
async def resolve(read: Read, body: Sought) -> list[MemberFound]:
    """The members that have these identifiers (card, phone number, e-mail address …).

    It is a POST request because personal data must not be in URLs.
    """
    found: dict[UUID, MemberFound] = {}
    for number, sought in enumerate(body.identifiers):
        index = await read.index(sought.kind, sought.value)
        rows = await read.select(
            [identifier, group],
            "select own.member_id, head.profiles, array_agg(own.profile_id order by own.profile_id)"
            " as holding from identifier i join member_group own using (profile_id)"
            " join member_group head on head.profile_id = own.member_id"
            " where i.kind = %(kind)s and i.value_index = %(index)s"
            " group by own.member_id, head.profiles order by own.member_id limit 50",
            kind=sought.kind,
            index=index,
        )
        for row in rows:
            one = found.setdefault(
                row["member_id"],
                MemberFound(
                    member_id=row["member_id"],
                    profile_ids=row["profiles"],
                    matched=[],
                    redirected_from=[],
                ),
            )
            one.matched.append(number)
            past = {*one.redirected_from, *row["holding"]} - {one.member_id}
            one.redirected_from = sorted(past)
    return list(found.values())


@projection.query("/v1/members", scope="members:read")
async def members(read: Read, page: Page) -> list[MemberIds]:
    """All members, sorted by id."""
    limit, after = page.limit, page.after
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
async def profiles_of(read: Read, member: Subject) -> list[Profile]:
    """The profiles of the member, with their personal data and identifiers."""
    ids = list(member.ids)
    states = {row["profile_id"]: row for row in await read.rows(profile, profile_id=ids)}
    known = await read.rows(identifier, profile_id=ids)
    return [
        await _profile(read, states[one], [row for row in known if row["profile_id"] == one])
        for one in ids
        if one in states
    ]


@projection.query("/v1/members/{member_id}/record", scope="members:read", part="record")
async def record_of(read: Read, member: Subject) -> list[GoldenField]:
    """The golden record: the chosen value of every field, with its profile and the reason."""
    ids = list(member.ids)
    _, rules = await in_force(read)
    states = {row["profile_id"]: row for row in await read.rows(profile, profile_id=ids)}
    known = await read.rows(identifier, profile_id=ids)
    given: list[SourcedValue] = []
    for one in (one for one in ids if one in states):
        given += _given(states[one], [row for row in known if row["profile_id"] == one])
    chosen = golden(rules, given)
    return [
        GoldenField(
            field=field,
            value=await _opened(read, one.given.profile_id, one.given.sealed_as, one.given.stored),
            profile_id=one.given.profile_id,
            source_system=one.given.source_system,
            given_at=instant(one.given.at),
            because=one.because,
        )
        for field, one in chosen.items()
    ]


@projection.query("/v1/members/{member_id}/why", scope="members:read")
async def why(read: Read, member: Subject, other: UUID) -> Why:
    """Why two profiles are one member or not: the steps between them, and what is against it."""
    one = member.redirected_from or member.id
    near = NeighbourRows((await in_force(read))[0])
    around = await near.read(read, [one, other])
    for profile_id in (one, other):
        if profile_id not in near.members:
            raise NotFound(f"nothing is known of the profile {profile_id}")
    mine, others = near.members[one], near.members[other]
    same = mine["member_id"] == others["member_id"]
    parts = [{profile_id.bytes for profile_id in row["profiles"]} for row in (mine, others)]
    way = around.way(one.bytes, other.bytes, parts[0] if same else None)
    against = [] if same else list(around.against(*parts))
    return Why(
        profile_id=one,
        other_profile_id=other,
        member_id=mine["member_id"],
        other_member_id=others["member_id"],
        one_member=same,
        path=[await _step(read, near, step) for step in way],
        against=[await _against(read, near, reason) for reason in against],
    )


@projection.query("/v1/identity/quarantined", scope="members:read")
async def quarantined(read: Read, page: Page) -> list[InQuarantine]:
    """Identifiers in quarantine, with the profiles that have them."""
    return await quarantine.listed(read, page)


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


def _given(row: dict[str, Any], known: list[dict[str, Any]]) -> list[SourcedValue]:
    """All values of a profile for fields of the golden record."""
    subject, source = row["profile_id"], row["source_system"]
    sure = any(one["verified"] for one in known)
    given = [
        SourcedValue(name, subject, source, row["given_at"][number], sure, row[name], name)
        for number, name in enumerate(PERSONAL)
        if row[name] is not None
    ]
    return given + [
        SourcedValue(
            one["kind"], subject, source, one["seen_at"], one["verified"], one["value"],
            one["field"],
        )
        for one in known
        if one["kind"] in ("email", "phone")
    ]  # fmt: skip


async def _step(read: Read, near: NeighbourRows, step: Gone) -> Step:
    said = _decided(near, step.decision)
    if step.value is not None:
        mine, others = (
            near.identifiers[profile_id, *step.value] for profile_id in (step.profile, step.other)
        )
        said |= {
            "kind": step.value[0],
            "value_index": step.value[1].hex(),
            "value": await _opened(read, mine["profile_id"], mine["field"], mine["value"]),
            "first_seen": instant(mine["first_seen"]),
            "other_first_seen": instant(others["first_seen"]),
        }
    return Step(
        profile_id=UUID(bytes=step.profile),
        other_profile_id=UUID(bytes=step.other),
        by=step.by,
        **said,
    )


async def _against(read: Read, near: NeighbourRows, found: Counted) -> Against:
    said = _decided(near, found.decision)
    if found.value is not None:
        row = near.identifiers[found.profiles[0], *found.value]
        said |= {
            "kind": found.value[0],
            "value_index": found.value[1].hex(),
            "value": await _opened(read, row["profile_id"], row["field"], row["value"]),
        }
    return Against(
        reason=found.reason,
        profile_ids=[UUID(bytes=one) for one in found.profiles],
        quarantine=found.quarantine,
        **said,
    )


def _decided(near: NeighbourRows, decision: Linked | None) -> dict[str, Any]:
    if decision is None:
        return {}
    row = near.decisions[decision]
    said = {name: row[name] for name in ("actor", "rule_version", "weight")}
    return {**said, "decided_at": instant(row["decided_at"]), "evidence": row["evidence"] or []}


async def _opened(read: Read, subject: UUID, field: str, stored: bytes | None) -> str | None:
    if stored is None:
        return None
    return await read.reveal(subject, UUID(bytes=stored[:16]), field, stored[16:])
