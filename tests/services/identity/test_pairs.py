"""What follows for a pair, by weight, by what stands and by what a person said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.generated.events import ProfilesLinked, ProfilesUnlinked
from services.identity.pairs import (
    PairEvidence,
    PairVerdict,
    RuleDecision,
    StaffDecision,
    case_id_of,
    evidence_of,
    judge,
    link_id_of,
)

ONE, OTHER = bytes(15) + b"\1", bytes(15) + b"\2"
PAIR = (ONE, OTHER)
STRONG = PairEvidence(12.0, ("family:equal", "given:equal", "birth_date:equal"))
MIDDLE = PairEvidence(4.0, ("family:equal", "given:equal"))


def after(
    found: PairEvidence | None, standing: RuleDecision | None = None,
    decision: StaffDecision | None = None,
    at: int = 1_000,
) -> PairVerdict:  # fmt: skip
    return judge(PAIR, "v1", 9.0, found, at, standing, decision)


def said(together: bool, about: PairEvidence | None) -> StaffDecision:
    link_id = link_id_of(PAIR, about.evidence) if about else None
    return StaffDecision(PAIR, 500, together, bytes(16), link_id, "somebody", "because")


def test_above_upper_a_link_between_a_case_below_nothing() -> None:
    linked = after(STRONG)
    assert isinstance(linked.fact, ProfilesLinked) and linked.case is None
    assert linked.fact.rule_version == "v1" and linked.fact.decided_by == "RULE"
    assert linked.fact.evidence == list(STRONG.evidence) and linked.fact.meta.occurred_at == 1_000
    between = after(MIDDLE)
    assert between.fact is None and between.case is not None
    assert between.case.case_id == case_id_of(PAIR, "v1", MIDDLE.evidence)
    assert after(None) == PairVerdict(None, None, None, "evidence", 1_000, None)


def test_what_stands_is_told_once_and_taken_back_when_it_is_gone() -> None:
    standing = after(STRONG).link
    assert standing is not None and after(STRONG, standing).fact is None
    for less in (MIDDLE, None):
        gone = after(less, standing)
        assert isinstance(gone.fact, ProfilesUnlinked) and gone.link is not None
        assert gone.fact.link_id == link_id_of(PAIR, STRONG.evidence)
        assert gone.fact.meta.occurred_at == standing.decided_at + 1
        again = after(STRONG, gone.link)
        assert again.fact is not None and again.fact.meta.occurred_at > gone.link.decided_at


def test_the_same_states_make_the_same_bytes() -> None:
    assert after(STRONG).fact == after(STRONG).fact
    assert after(STRONG, at=2_000).fact != after(STRONG).fact


def test_a_no_is_stronger_than_the_rules_for_its_evidence() -> None:
    for found in (STRONG, MIDDLE):
        kept = after(found, decision=said(False, found))
        assert kept.fact is None and kept.case is None and kept.closed == "declined"
        assert kept.decision is not None and kept.decision.actor == "somebody"
        other = after(found, decision=said(False, PairEvidence(1.0, ("family:near",))))
        assert other.fact is None and other.case is not None
        assert after(found, decision=said(False, None)).case is None


def test_a_yes_leaves_nothing_to_ask() -> None:
    assert after(MIDDLE, decision=said(True, None)).case is None
    assert after(STRONG, decision=said(True, None)).fact is not None


def test_a_no_takes_back_what_a_rule_linked() -> None:
    standing = after(STRONG).link
    gone = after(STRONG, standing, said(False, STRONG))
    assert isinstance(gone.fact, ProfilesUnlinked) and gone.case is None


def test_facts_have_one_list_for_evidence_and_reason() -> None:
    assert evidence_of(["family:equal", "reason:called back"]) == (("family:equal",), "called back")
    assert evidence_of([]) == ((), None)


WEIGHTS = st.floats(-20, 30, allow_nan=False)
FOUND = st.one_of(
    st.none(), st.builds(PairEvidence, WEIGHTS.filter(lambda w: w >= 0), st.just(("a",)))
)


@given(st.lists(st.tuples(FOUND, st.integers(0, 10_000)), min_size=1, max_size=8))
def test_what_stands_in_the_end_follows_from_the_last_state_alone(
    states: list[tuple[PairEvidence | None, int]],
) -> None:
    standing: RuleDecision | None = None
    told: list[ProfilesLinked | ProfilesUnlinked] = []
    for found, at in states:
        one = after(found, standing, at=at)
        standing = one.link or standing
        told += [one.fact] if one.fact else []
    last = states[-1][0]
    linked = last is not None and last.weight >= 9.0
    assert (standing is not None and standing.linked) == linked
    times = [fact.meta.occurred_at for fact in told]
    assert times == sorted(set(times))  # whoever reads the facts by their times ends the same
    assert bool(told) and isinstance(told[-1], ProfilesLinked) if linked else True
    assert len({fact.meta.event_id for fact in told}) == len(told)
