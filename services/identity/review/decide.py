"""Decides staff commands on pairs of profiles. Pure: a command and the stored state go in, the
outcome and the events come out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.deciding.outcomes import CommandOutcome
from services.identity.pairs import Pair, PairEvidence, StaffDecision
from services.identity.review.commands import Command, OfCase, OfPair, SplitMember, Verdict
from services.identity.review.facts import OUTCOMES, Fact, decision_of, fact_of
from services.identity.review.outcomes import (
    CaseClosed,
    CaseUnknown,
    OnlyProfileOfMember,
    ProfilesNotLinked,
    ProfilesUnknown,
    ProfileToSplitUnknown,
    VerdictGiven,
)

PairView = tuple[str | None, PairEvidence | None]
"""Version of the rules (None: none in force), and the pair's evidence (None: profile unknown)."""


@dataclass(frozen=True, slots=True)
class CaseState:
    """A stored case; `outcome`, `actor` and `reason` belong to a closed case."""

    pair: Pair
    view: PairView
    closed: bool
    outcome: str | None = None
    actor: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewState:
    """The input of one decision, read under the lock. Times are in microseconds.

    `case`: the case that the command names; None if there is none. `known`: the profiles of the
    pair that are registered and not erased. `together`: the pair is one member, or staff linked it.
    `others`: the other profiles of the member that is split; None if the profile has no member.
    `views`: how the rules compare the pairs now. `decided_at`: time of the last staff decision.
    """

    now: int
    case: CaseState | None = None
    known: Collection[UUID] = ()
    together: bool = False
    others: tuple[UUID, ...] | None = None
    views: Mapping[Pair, PairView] = field(default_factory=dict)
    decided_at: Mapping[Pair, int] = field(default_factory=dict)


@dataclass(slots=True)
class DecidedReview:
    """The outcome, with the event and the decision of each pair."""

    outcome: CommandOutcome
    facts: list[Fact] = field(default_factory=list)
    decisions: list[StaffDecision] = field(default_factory=list)


def decide(command: Command, state: ReviewState, new_id: Callable[[], UUID]) -> DecidedReview:
    """Decides one command; `new_id` generates the event ids."""
    if isinstance(command, OfCase):
        return _case(command, state, new_id)
    if isinstance(command, OfPair):
        return _pair(command, state, new_id)
    return _split(command, state, new_id)


def _case(command: OfCase, state: ReviewState, new_id: Callable[[], UUID]) -> DecidedReview:
    case = state.case
    if case is None:
        return DecidedReview(CaseUnknown())
    if case.closed:
        closed = CaseClosed(outcome=case.outcome, actor=case.actor, reason=case.reason)
        return DecidedReview(closed)
    views = {case.pair: case.view}
    facts, decisions = _facts(command, command.verdict, views, state, new_id)
    given = VerdictGiven(
        outcome=OUTCOMES[command.verdict], case_id=command.case_id, event_ids=_ids(facts)
    )
    return DecidedReview(given, facts, decisions)


def _pair(command: OfPair, state: ReviewState, new_id: Callable[[], UUID]) -> DecidedReview:
    asked = (command.body.profile_id, command.body.other_profile_id)
    missing = [profile_id for profile_id in asked if profile_id not in state.known]
    if missing:
        return DecidedReview(ProfilesUnknown(profile_ids=missing))
    if command.verdict == "unlink" and not state.together:
        return DecidedReview(ProfilesNotLinked())
    facts, decisions = _facts(command, command.verdict, state.views, state, new_id)
    given = VerdictGiven(outcome=OUTCOMES[command.verdict], event_ids=_ids(facts))
    return DecidedReview(given, facts, decisions)


def _split(command: SplitMember, state: ReviewState, new_id: Callable[[], UUID]) -> DecidedReview:
    if state.others is None:
        return DecidedReview(ProfileToSplitUnknown(profile_ids=[command.body.profile_id]))
    if not state.others:
        return DecidedReview(OnlyProfileOfMember())
    facts, decisions = _facts(command, "unlink", state.views, state, new_id)
    given = VerdictGiven(outcome="unlinked", profile_ids=state.others, event_ids=_ids(facts))
    return DecidedReview(given, facts, decisions)


def _facts(
    command: Command,
    verdict: Verdict,
    views: Mapping[Pair, PairView],
    state: ReviewState,
    new_id: Callable[[], UUID],
) -> tuple[list[Fact], list[StaffDecision]]:
    """One event and decision per pair, later than the last decision on that pair."""
    body = command.body
    facts, decisions = list[Fact](), list[StaffDecision]()
    for pair, (version, found) in views.items():
        evidence, weight = (found.evidence, found.weight) if found else ((), None)
        fact = fact_of(
            verdict, pair, evidence, version, weight,
            at=max(state.now, state.decided_at.get(pair, 0) + 1),
            actor=body.actor, reason=body.reason, event_id=new_id(),
        )  # fmt: skip
        facts.append(fact)
        decisions.append(decision_of(fact, pair, evidence, body.reason))
    return facts, decisions


def _ids(facts: list[Fact]) -> list[UUID]:
    return [UUID(bytes=fact.meta.event_id) for fact in facts]
