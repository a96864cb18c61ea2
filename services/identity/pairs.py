"""Decides what happens to a pair: link by rule, case for review, or nothing. Pure.

The result depends on the profiles' states, the rules and the staff decisions alone. At or above
`upper`: a link by rule; from `lower`: a case; below: nothing. After a staff "no" no rule links the
pair; it closes the case of the evidence that it was about, and other evidence opens a new case.
After a staff "yes" the pair gets no case any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

from schemas.generated.events import Meta, Producer, ProfilesLinked, ProfilesUnlinked

SYSTEM = "hitotsu-identity"
RULE, PERSON = "RULE", "PERSON"
REASON = "reason:"
_NAMESPACE = UUID("8d1c5f57-6b3c-5c0a-8f5c-0c4a6a1de7b1")
WEIGHT_DIGITS = 6
Outcome = Literal["linked", "declined", "unlinked", "rule", "evidence"]
Pair = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """A pair's weight (log2 odds), and its levels as `field:level`, also those that disagree."""

    weight: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleDecision:
    """The latest decision by rule on a pair; `decided_at` in microseconds."""

    linked: bool
    decided_at: int
    weight: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StaffDecision:
    """The latest staff decision on a pair.

    `together`: whether staff says that the two are one person. `link_id` names the evidence that
    the decision is about; None: it holds for any evidence. `decided_at` in microseconds.
    """

    pair: Pair
    decided_at: int
    together: bool
    event_id: bytes
    link_id: bytes | None
    actor: str | None = None
    reason: str | None = None

    @property
    def order(self) -> tuple[int, bool, bytes]:
        """Sort key: the latest decision wins; at the same time a link wins, as in the member
        projection.
        """
        return (self.decided_at, self.together, self.event_id)


@dataclass(frozen=True, slots=True)
class Case:
    """A pair that waits for a staff decision; `opened_at` in microseconds."""

    case_id: bytes
    pair: Pair
    found: PairEvidence
    opened_at: int


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """What becomes of a pair.

    `link`: the new decision by rule, with its event `fact`; None when it does not change. `case`:
    the case that stays open; None when there is none. All other cases of the pair are closed with
    the outcome `closed`, by the staff decision `decision`, or at the time `at` if that is None.
    """

    link: RuleDecision | None
    fact: ProfilesLinked | ProfilesUnlinked | None
    case: Case | None
    closed: Outcome
    at: int
    decision: StaffDecision | None


def link_id_of(pair: Pair, evidence: tuple[str, ...]) -> bytes:
    """The id of a pair with its evidence, independent of the version of the rules."""
    return uuid5(_NAMESPACE, b"\0".join((*pair, *(e.encode() for e in evidence))).hex()).bytes


def evidence_of(told: Iterable[str]) -> tuple[tuple[str, ...], str | None]:
    """Splits an event's evidence list into the evidence and the reason, None if it has none."""
    evidence, reason = [], None
    for one in told:
        if one.startswith(REASON):
            reason = one.removeprefix(REASON)
        else:
            evidence.append(one)
    return tuple(evidence), reason


def case_id_of(pair: Pair, version: str, evidence: tuple[str, ...]) -> bytes:
    """The id of a case: a function of pair, rules version and evidence."""
    return uuid5(UUID(bytes=link_id_of(pair, evidence)), f"case {version}").bytes


def judge(
    pair: Pair,
    version: str,
    upper: float,
    found: PairEvidence | None,
    at: int,
    standing: RuleDecision | None,
    decision: StaffDecision | None,
    chosen: bool = True,
    spared: bool = False,
) -> PairVerdict:
    """Decides what becomes of a pair.

    `found`: the evidence; None when the weight is below the lower threshold. `at`: the later time
    of the two profiles' states, in microseconds. `standing`: the present decision by rule. A pair
    at or above `upper` is linked if `chosen`; if `spared`, other links connect it already, so that
    it gets neither a link nor a case.
    """
    linked = found is not None and found.weight >= upper and chosen and not _apart(decision)
    link = _link(found if linked else None, at, standing)
    case = None
    settled = _settled(pair, found, decision)
    if found is not None and not linked and not settled and not spared:
        case = Case(case_id_of(pair, version, found.evidence), pair, found, at)
    return PairVerdict(
        link, _fact(pair, version, link) if link else None, case,
        _outcome(linked or spared, decision, settled), at, decision if settled else None,
    )  # fmt: skip


def _apart(decision: StaffDecision | None) -> bool:
    return decision is not None and not decision.together


def _settled(pair: Pair, found: PairEvidence | None, decision: StaffDecision | None) -> bool:
    """Whether staff decided on the same evidence, or decided that the two are one person."""
    if decision is None or found is None:
        return False
    if decision.together or decision.link_id is None:
        return True
    return decision.link_id == link_id_of(pair, found.evidence)


def _link(
    found: PairEvidence | None, at: int, standing: RuleDecision | None
) -> RuleDecision | None:
    """The new decision by rule (`found` None: no link); None when the decision does not change."""
    if found is None:
        if standing is None or not standing.linked:
            return None
        later = max(at, standing.decided_at + 1)
        return RuleDecision(False, later, standing.weight, standing.evidence)
    weight = round(found.weight, WEIGHT_DIGITS)
    if standing is None:
        return RuleDecision(True, at, weight, found.evidence)
    if standing.linked and (standing.weight, standing.evidence) == (weight, found.evidence):
        return None
    # readers of the events take the one with the latest time: it must be later than the last one
    return RuleDecision(True, max(at, standing.decided_at + 1), weight, found.evidence)


def _outcome(linked: bool, decision: StaffDecision | None, settled: bool) -> Outcome:
    if linked:
        return "rule"
    if decision is None or not settled:
        return "evidence"
    return "linked" if decision.together else "declined"


def _fact(pair: Pair, version: str, link: RuleDecision) -> ProfilesLinked | ProfilesUnlinked:
    """The event of a decision; any process makes the same bytes of the same states and rules."""
    link_id = link_id_of(pair, link.evidence)
    what = "linked" if link.linked else "unlinked"
    event_id = uuid5(UUID(bytes=link_id), f"{what} {version} {link.weight!r} {link.decided_at}")
    meta = Meta(
        event_id=event_id.bytes,
        occurred_at=link.decided_at,
        producer=Producer(system=SYSTEM, channel="OTHER"),
    )
    if link.linked:
        return ProfilesLinked(
            meta=meta,
            link_id=link_id,
            profile_id=pair[0],
            other_profile_id=pair[1],
            decided_by=RULE,
            rule_version=version,
            evidence=list(link.evidence),
            weight=link.weight,
        )
    reason = "the evidence is no longer there"
    return ProfilesUnlinked(
        meta=meta,
        profile_id=pair[0],
        other_profile_id=pair[1],
        decided_by=RULE,
        link_id=link_id,
        rule_version=version,
        reason=reason,
    )
