"""Finds in applied events which profiles changed and what staff decided about pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.generated.events import (
    IdentifierObserved,
    LinkDeclined,
    ProfileRegistered,
    ProfilesLinked,
    ProfilesUnlinked,
    ProfileUpdated,
    SubjectErased,
)
from services.following.applied_log import AppliedEvent
from services.identity.pairs import PERSON, StaffDecision, evidence_of, link_id_of
from services.identity.shards import pair_of

ABOUT_ONE = ProfileRegistered | ProfileUpdated | IdentifierObserved | SubjectErased
ABOUT_TWO = ProfilesLinked | LinkDeclined | ProfilesUnlinked


@dataclass(slots=True)
class ChangedProfile:
    """A changed profile. `places`: (partition, offset) of the events that changed it.

    `at`: their latest `occurred_at` in microseconds, without staff decisions; 0 if there are only
    these.
    """

    places: list[tuple[int, int]] = field(default_factory=list)
    at: int = 0


@dataclass(slots=True)
class LogChanges:
    """Result of `changes_in`: changed profiles by id, and staff decisions in log order."""

    profiles: dict[bytes, ChangedProfile] = field(default_factory=dict)
    decisions: list[StaffDecision] = field(default_factory=list)


def changes_in(events: Iterable[AppliedEvent]) -> LogChanges:
    """The changed profiles and the staff decisions in these events.

    A staff decision counts as a change of the pair's smaller profile id. Decisions by rule are
    skipped, because the matcher itself made them.
    """
    found = LogChanges()
    for one in events:
        event = one.event
        if isinstance(event, ABOUT_ONE):
            each = found.profiles.setdefault(event.profile_id, ChangedProfile())
            each.at = max(each.at, event.meta.occurred_at)
        elif isinstance(event, ABOUT_TWO) and event.decided_by == PERSON:
            decision = _decision(event)
            found.decisions.append(decision)
            each = found.profiles.setdefault(decision.pair[0], ChangedProfile())
        else:
            continue
        each.places.append((one.partition, one.offset))
    return found


def _decision(event: ProfilesLinked | LinkDeclined | ProfilesUnlinked) -> StaffDecision:
    pair = pair_of(event.profile_id, event.other_profile_id)
    together = isinstance(event, ProfilesLinked)
    if isinstance(event, LinkDeclined):
        evidence, reason = evidence_of(event.evidence)
        link_id = link_id_of(pair, evidence) if evidence else None
    else:
        link_id = event.link_id
        reason = (
            event.reason if isinstance(event, ProfilesUnlinked) else evidence_of(event.evidence)[1]
        )
    return StaffDecision(
        pair, event.meta.occurred_at, together, event.meta.event_id, link_id, event.actor, reason
    )
