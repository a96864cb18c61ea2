"""The tables of members: profiles, their identifiers, links, match rules, and computed groups.

A member is a group of profiles that are one person. A link or unlink only changes the groups and
copies no data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from projections.core import (
    Input,
    Projection,
    Row,
    View,
    earliest,
    first_by,
    key,
    latest_by,
    maximum,
    plain,
)
from projections.member.closure import MemberScope
from projections.member.grouping import members_of
from projections.member.rules import RULE_SET, part, read_rules
from schemas.generated.events import (
    IdentifierObserved,
    LinkDeclined,
    MatchRulesActivated,
    ProfileRegistered,
    ProfilesLinked,
    ProfilesUnlinked,
    ProfileUpdated,
    SubjectErased,
)

projection = Projection("member", version=3)
projection.erases(SubjectErased, subject="profile_id")

PERSON = "PERSON"
NEVER = -(2**62)  # before any time of an event, which may also be negative (before 1970)
PERSONAL = ("name", "name_kana", "postcode", "address", "birth_date")

# A sealed value is stored as event id + sealed bytes, since the event id is needed to decrypt it.
# `given_at`: when the fields of PERSONAL were last set or cleared, in the same order.
# `registration_at`, `registration_id`: the event from which `source_system` is taken.
profile = projection.evolution(
    "profile",
    profile_id=key("uuid"),
    source_system=plain("text"),
    registered_at=plain("bigint"),
    registration_at=plain("bigint"),
    registration_id=plain("uuid"),
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
    value=first_by("bytea", at="first_seen", by="value"),
    field=first_by("text", at="first_seen", by="value"),
    verified=maximum("boolean"),
    seen_at=maximum(),
    first_seen=earliest(),
    subject="profile_id",
    forget=True,
    indexes=(("kind", "value_index"),),
)
# links and separations decided by staff
link = projection.table(
    "profile_link",
    profile_id=key("uuid"),
    other_profile_id=key("uuid"),
    decided_at=maximum(),
    verdict=latest_by("text", at="decided_at"),
    actor=latest_by("text", at="decided_at"),
    indexes=(("other_profile_id",),),
)
# Links found by rules. Only those of the rules version in force count, so that the links of the
# next version can be written before it is in force.
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
# all versions of match rules, by the name of their rule set
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
group = projection.derivation(
    "member_group",
    profile_id=key("uuid"),
    member_id=plain("uuid"),
    profiles=plain("uuid[]"),
    open_case=plain("boolean"),
    view=View(by=("profile_id",)),
    indexes=(("member_id",),),
    inputs={
        "nodes": Input(profile, ("profile_id", "registered_at")),
        "identifiers": Input(
            identifier, ("profile_id", "kind", "value_index", "verified", "first_seen")
        ),
        "links": Input(link, ("profile_id", "other_profile_id", "verdict"), nodes=2),
        "proposals": Input(
            proposal, ("profile_id", "other_profile_id", "rule_version", "verdict"), nodes=2
        ),
        "rules": Input(rules, ("valid_from", "version", "identifiers"), nodes=0),
    },
    decide=members_of,
    scope=MemberScope(),
)


@projection.evolves(
    profile, ProfileRegistered, ProfileUpdated, SubjectErased, key=lambda event: (event.profile_id,)
)
def evolve(
    state: dict[str, Any] | None, event: ProfileRegistered | ProfileUpdated | SubjectErased
) -> dict[str, Any]:
    """The new state of a profile: for every field the latest event by event time counts.

    At equal times a value wins over a deletion, and of two values that of the greater event id. The
    index of a postcode is stored with the postcode. An erasure clears all personal fields.
    """
    now = dict.fromkeys(profile.values) if state is None else dict(state)
    at = event.meta.occurred_at
    if isinstance(event, SubjectErased):
        before = now["erased_at"]  # 0 (the epoch) is a valid time, not a missing one
        return {
            **now,
            **dict.fromkeys((*PERSONAL, "postcode_index", "given_at")),
            "erased_at": at if before is None else max(at, before),
        }
    cleared: Sequence[str] = ()
    if isinstance(event, ProfileUpdated):
        cleared = event.cleared
    elif _registers(now, event):
        now["source_system"], now["registered_at"] = event.source_system, event.registered_at
        now["registration_at"], now["registration_id"] = at, event.meta.event_id
    given_at = list(now["given_at"] or [NEVER] * len(PERSONAL))
    for number, name in enumerate(PERSONAL):
        sealed = getattr(event, name)
        if (sealed is None and name not in cleared) or at < given_at[number]:
            continue
        stored = None if sealed is None else event.meta.event_id + sealed
        held = now[name]
        if at == given_at[number] and held is not None and (stored is None or stored <= held):
            continue
        now[name], given_at[number] = stored, at
        if name == "postcode":
            now["postcode_index"] = None if stored is None else event.postcode_index
    now["given_at"] = given_at
    return now


def _registers(now: dict[str, Any], event: ProfileRegistered) -> bool:
    """Whether this event is later than the registration that the state has."""
    held = now["registration_at"]
    mine = (event.meta.occurred_at, event.meta.event_id)
    return held is None or mine > (held, now["registration_id"])


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
    read_rules(event.version, event.rules)  # raises: unreadable rules become a dead letter
    yield rules(
        rule_set=event.rule_set,
        valid_from=event.valid_from,
        version=event.version,
        set_at=event.meta.occurred_at,
        identifiers=part(event.rules, "identifiers"),
        survivorship=part(event.rules, "survivorship"),
    )
