"""Computes in memory which links and members other rules would give; stores nothing.

It uses the same code as the live matcher and the member projection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from projections.member.grouping import members_of
from projections.member.rules import MatchRules, part
from services.identity.index import ProfileIndex
from services.identity.matching.model import MatchModel
from services.identity.pairs import (
    Pair,
    PairEvidence,
    PairVerdict,
    RuleDecision,
    StaffDecision,
    judge,
)
from services.identity.replay.moment import Moment, Moved
from services.identity.shards import pair_of
from services.identity.spanning_forest import SpanningLinks

LAST = 2**62  # valid from later than any stored version, so that the replayed rules are in force


@dataclass(slots=True)
class ReplayShadow:
    """The result: verdicts on pairs, and each profile's member id (`groups`)."""

    version: str
    judged: dict[Pair, PairVerdict] = field(default_factory=dict)
    links: dict[Pair, RuleDecision] = field(default_factory=dict)
    """The pairs that the rules would link."""
    groups: dict[bytes, bytes] = field(default_factory=dict)


def shadow_of(
    now: Moment,
    rules: MatchRules,
    standing: Mapping[Pair, RuleDecision],
    moved: Moved,
) -> ReplayShadow:
    """Links and members under these rules; `standing`: decisions of an earlier run of the version.

    ValueError names the field when the rules' model is invalid.
    """
    found, seen = ReplayShadow(rules.version), dict[Pair, PairEvidence]()
    if rules.matching is not None:
        everybody = ProfileIndex(rules.version, MatchModel.of(rules.matching))
        for profile, features in now.features.items():
            everybody.learn(profile, features, now.times.get(profile, 0))
        for number, one in enumerate(sorted(now.features)):
            for other, what in everybody.candidates_of(one).items():
                pair = pair_of(one, other)
                if pair[0] == one:
                    seen[pair] = what
            if number % 1_000 == 999:
                moved("pairs", number + 1, len(now.features))
        choice = _chosen(everybody, seen, now.decisions)
        for pair in sorted(seen.keys() | standing.keys()):
            at = max(now.times.get(one, 0) for one in pair)
            found.judged[pair] = judge(
                pair, rules.version, everybody.model.upper, seen.get(pair), at,
                standing.get(pair), now.decisions.get(pair),
                pair in choice.linked, pair in choice.spared,
            )  # fmt: skip
    links = {pair: one for pair, one in standing.items() if one.linked}
    links |= {pair: one.link for pair, one in found.judged.items() if one.link is not None}
    found.links = {pair: one for pair, one in links.items() if one.linked}
    proposals = [(*pair, rules.version, "linked") for pair in found.links]
    identifiers = part(rules.text(), "identifiers")
    assert identifiers is not None
    grouping = members_of(
        now.registered.items(), now.identifiers, now.verdicts, proposals,
        [(LAST, rules.version, identifiers)],
    )  # fmt: skip
    found.groups = {profile: one.member_id for profile, one in grouping.items()}
    return found


def _chosen(
    everybody: ProfileIndex,
    seen: Mapping[Pair, PairEvidence],
    decisions: Mapping[Pair, StaffDecision],
) -> SpanningLinks:
    """The links chosen among all pairs at or above the link threshold."""
    choice, smaller = SpanningLinks(), defaultdict[bytes, dict[bytes, PairEvidence]](dict)
    for pair, what in seen.items():
        if what.weight >= everybody.model.upper:
            smaller[pair[1]][pair[0]] = what
    apart = {pair for pair, one in decisions.items() if not one.together}
    for one, others in smaller.items():
        choice.add(one, others, everybody.alike, apart)
    return choice
