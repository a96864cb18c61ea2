"""Builds the event of a staff decision on two profiles."""

from __future__ import annotations

from uuid import UUID

from schemas.generated.events import LinkDeclined, Meta, Producer, ProfilesLinked, ProfilesUnlinked
from services.identity.pairs import PERSON, REASON, SYSTEM, Pair, StaffDecision, link_id_of
from services.identity.review.commands import Verdict
from services.identity.review.outcomes import VerdictOutcome

Fact = ProfilesLinked | LinkDeclined | ProfilesUnlinked
OUTCOMES: dict[Verdict, VerdictOutcome] = {
    "link": "linked", "decline": "declined", "unlink": "unlinked",
}  # fmt: skip


def fact_of(
    verdict: Verdict,
    pair: Pair,
    evidence: tuple[str, ...],
    version: str | None,
    weight: float | None,
    at: int,
    actor: str,
    reason: str,
    event_id: UUID,
) -> Fact:
    """The event of a decision; `evidence`: the pair's present levels; `at` in microseconds."""
    meta = Meta(
        event_id=event_id.bytes,
        occurred_at=at,
        producer=Producer(system=SYSTEM, channel="CALL_CENTRE"),
    )
    link_id = link_id_of(pair, evidence)
    # the events of linking and declining have no field for the reason
    told = [*evidence, REASON + reason]
    if verdict == "link":
        return ProfilesLinked(
            meta=meta,
            link_id=link_id,
            profile_id=pair[0],
            other_profile_id=pair[1],
            decided_by=PERSON,
            actor=actor,
            rule_version=version,
            evidence=told,
            weight=weight,
        )
    if verdict == "decline":
        return LinkDeclined(
            meta=meta,
            profile_id=pair[0],
            other_profile_id=pair[1],
            decided_by=PERSON,
            actor=actor,
            rule_version=version,
            evidence=told,
        )
    about = link_id if evidence else None
    return ProfilesUnlinked(
        meta=meta,
        profile_id=pair[0],
        other_profile_id=pair[1],
        decided_by=PERSON,
        link_id=about,
        actor=actor,
        rule_version=version,
        reason=reason,
    )


def verdict_of(fact: Fact) -> VerdictOutcome:
    """The outcome that an event of `fact_of` states."""
    if isinstance(fact, ProfilesLinked):
        return "linked"
    return "declined" if isinstance(fact, LinkDeclined) else "unlinked"


def decision_of(fact: Fact, pair: Pair, evidence: tuple[str, ...], reason: str) -> StaffDecision:
    """The decision of this event, equal to the one that the matcher will read from the log."""
    link_id = link_id_of(pair, evidence) if evidence else None
    return StaffDecision(
        pair, fact.meta.occurred_at, isinstance(fact, ProfilesLinked), fact.meta.event_id,
        link_id, fact.actor, reason,
    )  # fmt: skip
