"""Who is one person? Profiles are facts; which of them are one member is decided late.

A link or an unlink changes the grouping and copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from projections.core import (
    Projection,
    Row,
    View,
    earliest,
    first,
    key,
    latest_by,
    maximum,
    plain,
)
from projections.member.grouping import members_of
from projections.member.rules import RULE_SET, active, part, read_rules
from schemas.events import (
    IdentifierObserved,
    LinkDeclined,
    MatchRulesActivated,
    ProfileRegistered,
    ProfilesLinked,
    ProfilesUnlinked,
    ProfileUpdated,
    SubjectErased,
)

projection = Projection("member", version=2)

PERSON = "PERSON"
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
    given_at=plain("bigint[]"),
    erased_at=plain("bigint"),
    view=View(by=("profile_id",)),
    subject="profile_id",
    personal=(*PERSONAL, "postcode_index", "given_at"),
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
    first_seen=earliest(),
    subject="profile_id",
    forget=True,
    indexes=(("kind", "value_index"),),
)
# what persons decided
link = projection.table(
    "profile_link",
    profile_id=key("uuid"),
    other_profile_id=key("uuid"),
    decided_at=maximum(),
    verdict=latest_by("text", at="decided_at"),
    actor=latest_by("text", at="decided_at"),
    indexes=(("other_profile_id",),),
)
# what rules found; only links of the version in force count, so the next one's can be made before
proposal = projection.table(
    "rule_link",
    profile_id=key("uuid"),
    other_profile_id=key("uuid"),
    rule_version=key("text"),
    decided_at=maximum(),
    verdict=latest_by("text", at="decided_at"),
    weight=latest_by("double precision", at="decided_at"),
    evidence=latest_by("text[]", at="decided_at"),
    indexes=(("other_profile_id",),),
)
# of one rule set, so that readers hold all versions under one name
rules = projection.table(
    "match_rules",
    rule_set=key("text"),
    valid_from=key("bigint"),
    version=key("text"),
    set_at=maximum(),
    identifiers=latest_by("text", at="set_at"),
    survivorship=latest_by("text", at="set_at"),
    view=View(by=("rule_set",)),
    moved_by=MatchRulesActivated.TOPIC,
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
    proposals=proposal,
    rules=rules,
    active=active,
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
            **dict.fromkeys((*PERSONAL, "postcode_index", "given_at")),
            "erased_at": event.meta.occurred_at,
        }
    if isinstance(event, ProfileRegistered):
        now["source_system"] = event.source_system
        now["registered_at"] = event.registered_at
    else:
        now.update(dict.fromkeys(name for name in event.cleared if name in PERSONAL))
        if "postcode" in event.cleared:
            now["postcode_index"] = None
    given_at = list(now["given_at"] or [0] * len(PERSONAL))
    for number, name in enumerate(PERSONAL):
        sealed = getattr(event, name)
        if sealed is not None:
            now[name] = event.meta.event_id + sealed
            given_at[number] = event.meta.occurred_at
    now["given_at"] = given_at
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
            first_seen=event.meta.occurred_at,
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
        first_seen=event.meta.occurred_at,
    )


@projection.on(ProfilesLinked, ProfilesUnlinked, LinkDeclined)
def decided(event: ProfilesLinked | ProfilesUnlinked | LinkDeclined) -> Iterator[Row]:
    one, other = sorted((event.profile_id, event.other_profile_id))
    linked = isinstance(event, ProfilesLinked)
    if event.decided_by == PERSON:
        yield link(
            profile_id=one,
            other_profile_id=other,
            decided_at=event.meta.occurred_at,
            verdict="linked" if linked else "apart",
            actor=event.actor,
        )
        return
    yield proposal(
        profile_id=one,
        other_profile_id=other,
        rule_version=event.rule_version or "",
        decided_at=event.meta.occurred_at,
        verdict="linked" if linked else "retracted",
        weight=event.weight if isinstance(event, ProfilesLinked) else None,
        evidence=None if isinstance(event, ProfilesUnlinked) else event.evidence,
    )


@projection.on(MatchRulesActivated)
def activated(event: MatchRulesActivated) -> Iterator[Row]:
    if event.rule_set != RULE_SET:
        return
    read_rules(event.version, event.rules)  # what cannot be read is refused here, whole
    yield rules(
        rule_set=event.rule_set,
        valid_from=event.valid_from,
        version=event.version,
        set_at=event.meta.occurred_at,
        identifiers=part(event.rules, "identifiers"),
        survivorship=part(event.rules, "survivorship"),
    )
