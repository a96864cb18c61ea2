"""Of many who are alike few are linked, and all of them are held together."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.member.grouping import components
from services.identity.matching import candidates as matching
from services.identity.matching.candidates import CandidateIndex
from services.identity.matching.features import Person, features
from services.identity.pairs import PairEvidence
from services.identity.spanning_forest import MOST, SpanningLinks
from tests.services.identity.weighing import model

Pairs = dict[tuple[bytes, bytes], float]


def chosen(pairs: Pairs, apart: frozenset[tuple[bytes, bytes]] = frozenset()) -> SpanningLinks:
    smaller: dict[bytes, dict[bytes, PairEvidence]] = {}
    for (one, other), weight in pairs.items():
        smaller.setdefault(other, {})[one] = PairEvidence(weight, ())
    choice = SpanningLinks()
    for profile, others in smaller.items():
        choice.add(profile, others, pairs.__contains__, apart)
    return choice


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_of_five_hundred_who_are_all_alike_each_is_linked_with_three() -> None:
    everybody = [id_of(number) for number in range(500)]
    pairs = dict.fromkeys(combinations(everybody, 2), 12.0)
    choice = chosen(pairs)
    assert len(choice.linked) <= MOST * len(everybody)
    assert len(components(everybody, choice.linked)) == 1
    assert choice.linked | choice.spared == pairs.keys()
    # whoever is set apart from all others leaves the rest together
    apart = frozenset((everybody[0], other) for other in everybody[1:])
    left = chosen(pairs, apart).linked
    assert left.isdisjoint(apart) and len(components(everybody[1:], left)) == 1


@st.composite
def alike(draw: st.DrawFn) -> tuple[list[bytes], Pairs]:
    """Some profiles, and pairs of them that the rules would link, by weight."""
    many = draw(st.integers(2, 14))
    number = st.integers(0, many - 1)
    drawn = draw(st.dictionaries(st.tuples(number, number), st.sampled_from([9.5, 10.0, 12.0])))
    pairs = {(id_of(a), id_of(b)): weight for (a, b), weight in drawn.items() if a < b}
    return [id_of(each) for each in range(many)], pairs


@given(alike())
def test_what_all_pairs_hold_together_the_chosen_and_the_cases_do(drawn: Any) -> None:
    everybody, pairs = drawn
    choice = chosen(pairs)
    assert max(sum(pair[1] == one for pair in choice.linked) for one in everybody) <= MOST
    # what is neither linked nor spared is asked of a person
    asked = pairs.keys() - choice.linked - choice.spared
    joined = components(everybody, [*choice.linked, *asked])
    assert sorted(map(sorted, joined)) == sorted(map(sorted, components(everybody, pairs)))


def test_pairs_by_a_key_that_became_common_grow_with_the_profiles_alone() -> None:
    known = CandidateIndex(model())
    same = features(Person(name="山田 太郎", birth_date="1985-04-12"))
    everybody = [id_of(number * 7919 % 501) for number in range(1, 501)]
    for one in everybody:
        known.learn(one, same)
    pairs = {
        (min(one, found.profile_id), max(one, found.profile_id))
        for one in everybody
        for found in known.candidates(same, exclude=(one,), of=one)
    }
    few, first = matching.FIRST, sorted(everybody)
    assert len(pairs) == few * (few - 1) // 2 + few * (500 - few)
    assert all(not set(first[:few]).isdisjoint(pair) for pair in pairs)
    assert known.displaced_by(first[0]) == {first[few]}
    assert known.displaced_by(first[few]) == set()
    for one in first[:few]:
        known.forget(one)
    found = {one.profile_id for one in known.candidates(same, of=first[-1])}
    assert first[few] in found
    # who looks for somebody is shown all of them
    assert len(known.candidates(same)) == 500 - few
