"""Who may be the same person, whoever came first and whoever else is known?"""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from services.identity.matching import (
    CandidateIndex,
    Features,
    MatchModel,
    Person,
    dates,
    features,
    names,
)
from services.identity.matching.comparisons import ComparedPair
from services.identity.matching.weights import Weights
from tests.services.identity.matching.people import as_features, index, people

AT = Person("山田 健一", "ヤマダ ケンイチ", "1000005", "千代田区丸の内1-2-3", "1970-04-01",
            (("phone", index("phone", "0312345678")),))  # fmt: skip


def _id(number: int) -> bytes:
    return number.to_bytes(16)


def _streamed(
    model: MatchModel, known: list[tuple[int, Features]]
) -> dict[tuple[bytes, ...], object]:
    here, found = CandidateIndex(model), {}
    for number, one in known:
        for candidate in here.candidates(one):
            pair = tuple(sorted((_id(number), candidate.profile_id)))
            found[pair] = (candidate.weight, candidate.levels)
        here.learn(_id(number), one)
    return found


def test_the_pairs_are_the_same_in_any_order(model: MatchModel, everybody: list[Features]) -> None:
    numbered = list(enumerate(everybody))
    found = _streamed(model, numbered)
    assert len(found) > 100

    for seed in range(3):
        Random(seed).shuffle(numbered)
        assert _streamed(model, numbered) == found


def test_a_pair_is_found_whoever_else_is_known(
    model: MatchModel, everybody: list[Features]
) -> None:
    found = _streamed(model, list(enumerate(everybody)))
    some = everybody[: len(everybody) // 2]

    assert _streamed(model, list(enumerate(some))) == {
        pair: each for pair, each in found.items() if max(pair) < _id(len(some))
    }


def test_people_of_others_than_the_model_s_are_told_apart(model: MatchModel) -> None:
    fresh = people(households=130, seed=8)
    found = _streamed(model, list(enumerate(as_features(fresh))))
    same = {
        (_id(a), _id(b)) for (a, (one, _)), (b, (other, _)) in combinations(enumerate(fresh), 2)
        if one == other
    }  # fmt: skip
    linked = {pair for pair, (weight, _) in found.items() if weight >= model.upper}

    assert len(same) > 200
    assert linked <= same
    assert len(same & set(found)) > 0.95 * len(same)


def test_a_household_is_not_a_person(model: MatchModel) -> None:
    known = CandidateIndex(model)
    known.learn(_id(1), features(AT))
    wife = AT._replace(name="山田 陽子", name_kana="ヤマダ ヨウコ", birth_date="1972-11-20")
    son = AT._replace(name="山田 翔太", name_kana="ヤマダ ショウタ", birth_date="2001-08-13")

    assert known.candidates(features(wife)) == []
    assert known.candidates(features(son)) == []
    assert known.candidates(features(wife._replace(birth_date=None))) == []
    assert [one.profile_id for one in known.candidates(features(AT))] == [_id(1)]


def test_what_a_household_shares_never_links(model: MatchModel) -> None:
    known = CandidateIndex(model)
    known.learn(_id(1), features(AT))
    nameless = AT._replace(name=None, name_kana=None, birth_date=None)

    assert all(one.weight < model.upper for one in known.candidates(features(nameless)))


def test_who_is_forgotten_is_found_no_more(model: MatchModel, everybody: list[Features]) -> None:
    known, never = CandidateIndex(model), CandidateIndex(model)
    for number, one in enumerate(everybody):
        known.learn(_id(number), one)
        if number % 3:
            never.learn(_id(number), one)
    for number in range(0, len(everybody), 3):
        known.forget(_id(number))
    known.forget(_id(0))

    assert len(known) == len(never)
    assert all(known.candidates(one) == never.candidates(one) for one in everybody)
    assert _id(0) not in known
    assert known.features(_id(1)) == everybody[1]


def test_who_is_learnt_again_has_the_new_features_alone(model: MatchModel) -> None:
    known = CandidateIndex(model)
    known.learn(_id(1), features(AT))
    moved = features(Person("林 葵", None, "5300001", "大阪市北区梅田3-1-1", "1999-09-09"))
    known.learn(_id(1), moved)

    assert known.candidates(features(AT)) == []
    assert [one.profile_id for one in known.candidates(moved)] == [_id(1)]
    assert known.candidates(moved, exclude={_id(1)}) == []
    assert len(known) == 1


def test_what_each_field_says_adds_up(model: MatchModel, everybody: list[Features]) -> None:
    known = CandidateIndex(model)
    for number, one in enumerate(everybody):
        known.learn(_id(number), one)
    asked = everybody[0]
    for candidate in known.candidates(asked):
        other = known.features(candidate.profile_id)
        assert other is not None
        evidence = known.explain(asked, other)
        assert sum(one.weight for one in evidence) == pytest.approx(candidate.weight)
        assert all(one.level for one in evidence if one.field not in ("prior", "household"))


@pytest.mark.parametrize(
    ("given", "kana", "born", "sure"),
    [
        ("健一", "ケンイチ", "1970-04-01", True),
        ("健二", "ケンジ", "1970-04-01", False),  # a twin, or a slip of the pen
        ("賢一", "ケンイチ", None, False),  # read alike, written otherwise: a brother may be
        ("ケンイチロウ", None, None, False),  # a son may be named after his father
        (None, None, "1970-04-01", False),  # a twin whose name was left blank
    ],
)
def test_where_families_are_known_only_what_is_sure_links(
    model: MatchModel, given: str | None, kana: str | None, born: str | None, sure: bool
) -> None:
    other = AT._replace(
        name=f"山田 {given}" if given else "山田", name_kana=f"ヤマダ {kana}" if kana else None,
        birth_date=born,
    )  # fmt: skip
    known = CandidateIndex(model)
    known.learn(_id(1), features(AT))
    found = [one for one in known.candidates(features(other)) if one.weight >= model.upper]
    assert bool(found) == sure


def test_without_families_what_is_alike_may_link(model: MatchModel) -> None:
    """All is equal but for a slip in the given name and one in the birth date."""
    levels = [0] * len(model.comparisons)
    levels[1], levels[2] = names.NEAR, dates.SLIP
    slips = ComparedPair(tuple(levels), ("",) * len(levels))
    prior = model.prior.model_copy(update={"household": model.prior.match / 100})
    least = {"upper": -1000.0}  # whatever it weighs, it would be linked
    families, none = (
        Weights(model.model_copy(update={**least, "prior": each})).weight(slips)
        for each in (model.prior, prior)
    )
    assert families < -1000 <= none
