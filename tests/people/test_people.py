"""Are the people the same for a seed, and does everything happen as often as it says?"""

from __future__ import annotations

from collections import Counter, defaultdict
from hashlib import sha256
from itertools import combinations

import pytest

from tests.people import RATES, Profile, profiles, true_pairs
from tests.people.kana import HALF_WIDTH, romaji, spelt
from tests.people.names import FEMALE, MALE, names

FINGERPRINT = "ac2cbf933fd1744b"


@pytest.fixture(scope="module")
def known() -> tuple[list[Profile], dict[str, list[int]]]:
    tally: dict[str, list[int]] = {}
    return list(profiles(tally=tally)), tally


def test_a_seed_gives_the_same_profiles_wherever_it_runs() -> None:
    some = [*profiles(600, 1_000, seed=7)]
    assert sha256(repr(some).encode()).hexdigest()[:16] == FINGERPRINT
    assert [*profiles(600, 1_000, seed=8)] != some


def test_so_many_as_asked_for(known: tuple[list[Profile], dict[str, list[int]]]) -> None:
    all_of_them, _ = known
    assert len({profile.id for profile in all_of_them}) == len(all_of_them) == 20_000
    per_person = Counter(profile.person for profile in all_of_them)
    assert len(per_person) == 12_000
    assert set(per_person.values()) == {1, 2, 3, 4, 5}
    assert all_of_them == sorted(all_of_them, key=lambda each: (each.registered_at, each.id))


@pytest.mark.parametrize(("people", "count"), [(0, 5), (10, 9), (10, 51)])
def test_a_size_that_cannot_be_is_refused(people: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"profiles: {count} are not"):
        profiles(people, count)


@pytest.mark.parametrize("what", RATES)
def test_everything_happens_as_often_as_it_says(
    what: str, known: tuple[list[Profile], dict[str, list[int]]]
) -> None:
    tries, hits = known[1][what]
    expected, rate = tries * RATES[what], RATES[what]
    assert tries > 0
    assert abs(hits - expected) <= 4 * (expected * (1 - rate)) ** 0.5


def test_true_pairs_are_the_pairs_of_a_person() -> None:
    few = [*profiles(40, 100)]
    expected = {
        frozenset((one.id, two.id)) for one, two in combinations(few, 2) if one.person == two.person
    }
    assert true_pairs(few) == expected
    assert len(expected) >= 60


def test_households_hold_twins_strangers_share_names(
    known: tuple[list[Profile], dict[str, list[int]]],
) -> None:
    """What a matcher has to keep apart is really there."""
    by_birth, by_name = defaultdict(set), defaultdict(set)
    for each in known[0]:
        if len(each.birth_date) == 10 and each.birth_date[4] == "-":
            by_birth[each.household, each.birth_date].add(each.person)
            by_name["".join(each.name.split()), each.birth_date[:4]].add(each.household)
    assert sum(len(persons) > 1 for persons in by_birth.values()) >= 3
    assert sum(len(households) > 1 for households in by_name.values()) >= 10
    by_phone, by_mail = defaultdict(set), defaultdict(set)
    for each in known[0]:
        for phone in each.phones:
            by_phone["".join(filter(str.isdecimal, phone))].add(each.person)
        for mail in each.mails:
            by_mail[mail].add(each.person)
    assert sum(len(persons) > 1 for persons in by_phone.values()) >= 300
    assert sum(len(persons) > 1 for persons in by_mail.values()) >= 100


def test_the_tables_are_as_large_as_they_claim() -> None:
    known = names()
    assert len({name.kanji for name in known.listed_family}) >= 300
    assert len({name.kanji for sex in (MALE, FEMALE) for name in known.listed_given[sex]}) >= 400


@pytest.mark.parametrize(
    ("kana", "passport", "vowels"),
    [
        ("オオタ", "ota", "oota"),
        ("ヨウコ", "yoko", "youko"),
        ("シュンスケ", "shunsuke", "shunsuke"),
        ("ハットリ", "hattori", "hattori"),
        ("リョウ", "ryo", "ryou"),
        ("ジュンイチ", "junichi", "junichi"),
    ],
)
def test_readings_become_romaji(kana: str, passport: str, vowels: str) -> None:
    assert (romaji(kana), spelt(kana)) == (passport, vowels)


def test_half_width_kana_take_their_marks_along() -> None:
    assert "ヤマダ パーク ハッピ".translate(HALF_WIDTH) == "ﾔﾏﾀﾞ ﾊﾟｰｸ ﾊｯﾋﾟ"
