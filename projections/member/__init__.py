"""Who is one person? Profiles are facts; which of them are one member is decided late.

A link or an unlink changes the grouping and copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from projections.core import Projection, Row, View, first, key, latest_by, maximum, plain
from projections.member.grouping import CONNECTING, LIMIT, members_of
from schemas.events import (
    IdentifierObserved,
    LinkDeclined,
    ProfileRegistered,
    ProfilesLinked,
    ProfilesUnlinked,
    ProfileUpdated,
    SubjectErased,
)

projection = Projection("member")

PERSONAL = ("name", "name_kana", "postcode", "address", "birth_date")

# a sealed value is kept behind the id of the event that sealed it, which opening it needs
profile = projection.evolution(
    "profile",
    profile_id=key("uuid"),
    source_system=plain("text"),
    registered_at=plain("bigint"),
    name=plain("bytea"),
    name_kana=plain("bytea"),
    postcode=plain("bytea"),
    postcode_index=plain("uuid"),
    address=plain("bytea"),
    birth_date=plain("bytea"),
    erased_at=plain("bigint"),
    view=View(by=("profile_id",)),
    subject="profile_id",
    personal=(*PERSONAL, "postcode_index"),
)
identifier = projection.table(
    "identifier",
    profile_id=key("uuid"),
    kind=key("text"),
    value_index=key("uuid"),
    value=first("bytea"),
    field=first("text"),
    verified=maximum("boolean"),
    seen_at=maximum(),
    subject="profile_id",
    forget=True,
    indexes=(("kind", "value_index"),),
)
link = projection.table(
    "profile_link",
    profile_id=key("uuid"),
    other_profile_id=key("uuid"),
    decided_at=maximum(),
    verdict=latest_by("text", at="decided_at"),
    decided_by=latest_by("text", at="decided_at"),
    indexes=(("other_profile_id",),),
)
group = projection.grouping(
    "member_group",
    profile_id=key("uuid"),
    member_id=plain("uuid"),
    profiles=plain("uuid[]"),
    open_case=plain("boolean"),
    view=View(by=("profile_id",)),
    indexes=(("member_id",),),
    nodes=profile,
    identifiers=identifier,
    links=link,
    kinds=CONNECTING,
    limit=LIMIT,
    decide=members_of,
)


@projection.evolves(
    profile, ProfileRegistered, ProfileUpdated, SubjectErased, key=lambda event: (event.profile_id,)
)
def evolve(
    state: dict[str, Any] | None, event: ProfileRegistered | ProfileUpdated | SubjectErased
) -> dict[str, Any]:
    now = dict.fromkeys(profile.values) if state is None else dict(state)
    if isinstance(event, SubjectErased):
        return {
            **now,
            **dict.fromkeys((*PERSONAL, "postcode_index")),
            "erased_at": event.meta.occurred_at,
        }
    if isinstance(event, ProfileRegistered):
        now["source_system"] = event.source_system
        now["registered_at"] = event.registered_at
    else:
        now.update(dict.fromkeys(name for name in event.cleared if name in PERSONAL))
        if "postcode" in event.cleared:
            now["postcode_index"] = None
    for name in PERSONAL:
        sealed = getattr(event, name)
        if sealed is not None:
            now[name] = event.meta.event_id + sealed
    if event.postcode_index is not None:
        now["postcode_index"] = event.postcode_index
    return now


@projection.on(ProfileRegistered, ProfileUpdated)
def known(event: ProfileRegistered | ProfileUpdated) -> Iterator[Row]:
    for number, one in enumerate(event.identifiers):
        yield identifier(
            profile_id=event.profile_id,
            kind=one.kind,
            value_index=one.value_index,
            verified=one.verified,
            value=event.meta.event_id + one.value,
            field=f"identifiers[{number}].value",
            seen_at=event.meta.occurred_at,
        )


@projection.on(IdentifierObserved)
def observed(event: IdentifierObserved) -> Iterator[Row]:
    one = event.identifier
    yield identifier(
        profile_id=event.profile_id,
        kind=one.kind,
        value_index=one.value_index,
        verified=one.verified,
        value=event.meta.event_id + one.value,
        field="identifier.value",
        seen_at=event.meta.occurred_at,
    )


@projection.on(ProfilesLinked, ProfilesUnlinked, LinkDeclined)
def decided(event: ProfilesLinked | ProfilesUnlinked | LinkDeclined) -> Iterator[Row]:
    pair = sorted((event.profile_id, event.other_profile_id))
    yield link(
        profile_id=pair[0],
        other_profile_id=pair[1],
        decided_at=event.meta.occurred_at,
        verdict="linked" if isinstance(event, ProfilesLinked) else "apart",
        decided_by=event.decided_by,
    )
