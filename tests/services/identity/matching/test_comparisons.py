"""Which level do two people have in each comparison?"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.identity.matching import Features, MatchModel, Person, dates, features, names, places
from services.identity.matching.comparisons import compare, level_names
from services.identity.matching.weights import Weights

WORDS = (
    "",
    "",
    "佐藤",
    "佐竹",
    "山田",
    "山田太郎",
    "太郎",
    "taro",
    "tarou",
    "john",
    "jon",
    "smith",
)
words = st.sampled_from(WORDS)
days = st.sampled_from(("", "1990-04-01", "1990-01-04", "1990-04-10", "1909-04-01", "2001-12-31"))
found = st.builds(
    Features, words, words, words, words, words, words, days, words, words, words, words, words,
    st.sampled_from(("", "1000005", "1000006")),
    st.lists(
        st.tuples(st.sampled_from(("email", "phone")), st.sampled_from((b"a" * 8, b"b" * 8))),
        unique=True, max_size=3,
    ).map(lambda pairs: tuple(sorted(pairs))),
)  # fmt: skip


@example(Features("佐藤", "林", birth_date="1990-04-01"), Features("林", "佐藤"))
@example(Features(given="smith", family_reading="taro"), Features("佐竹", "john"))
@given(found, found)
def test_levels_and_weight_do_not_depend_on_who_is_first(
    model: MatchModel, one: Features, other: Features
) -> None:
    there, back = compare(one, other, model.kinds), compare(other, one, model.kinds)

    assert there.levels == back.levels
    assert Weights(model).weight(there) == Weights(model).weight(back)


def test_what_is_not_known_to_both_says_nothing(model: MatchModel) -> None:
    known = features(Person("山田 太郎", None, "1000005", "千代田区丸の内1-2-3", "1990-04-01"))

    assert set(compare(known, Features(), model.kinds).levels) == {-1}


def _names(
    one: str, other: str, kana: str | None = None, other_kana: str | None = None
) -> list[str]:
    compared = names.compare(features(Person(one, kana)), features(Person(other, other_kana)))
    return [level_names("family")[level] if level >= 0 else "" for level in compared[:2]]


@pytest.mark.parametrize(
    ("one", "other", "levels"),
    [
        ("山田 太郎", "山田　太郎様", ["equal", "equal"]),
        ("山田 太郎", "山田太郎", ["equal", "equal"]),
        ("太郎 山田", "山田 太郎", ["swapped", "swapped"]),
        ("佐藤 花子", "鈴木 花子", ["different", "equal"]),
        ("Catherine Smith", "Catharine Smith", ["equal", "near"]),
        ("John Smith", "Jon Smith", ["equal", "equal in one form"]),
        ("Smith", "John Smith", ["equal", ""]),
        ("Smith, John", "John Smith", ["equal", "equal"]),
        ("佐藤 花子", "佐竹 花子", ["similar", "equal"]),
    ],
)
def test_names(one: str, other: str, levels: list[str]) -> None:
    assert _names(one, other) == levels


def test_a_name_is_known_again_by_its_reading() -> None:
    assert _names("山田 太郎", "ヤマダ タロウ", "ヤマダ タロウ") == [
        "equal in reading", "equal in reading",
    ]  # fmt: skip
    assert _names("伊藤 恵", "伊東 恵", "イトウ メグミ", "イトウ メグミ") == [
        "equal in one form", "equal",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("other", "level"),
    [
        ("1985-04-03", "equal"),
        ("1985-04-08", "one slip"),
        ("1985-03-04", "one slip"),
        ("1985-04-30", "one slip"),
        ("1985-10-03", "two of year, month and day"),
        ("1985-11-22", "year"),
        ("1972-11-22", "different"),
    ],
)
def test_birth_dates(other: str, level: str) -> None:
    assert dates.LEVELS[dates.compare("1985-04-03", other)] == level


@pytest.mark.parametrize(
    ("other", "postcode", "level"),
    [
        ("東京都千代田区丸の内1-2-3 青ビル201", "1000005", "same door"),
        ("千代田区丸の内1丁目2番3号", "1000005", "same house"),
        ("千代田区丸の内1-2-9", "1000005", "street there"),
        (None, "1000005", "postcode or city"),
        ("大阪市北区梅田3-1-1", "5300001", "different"),
    ],
)
def test_places(other: str | None, postcode: str, level: str) -> None:
    here = features(Person(None, None, "100-0005", "千代田区丸の内1-2-3 青ビル201"))
    there = features(Person(None, None, postcode, other))

    assert places.LEVELS[places.compare(here, there)[0]] == level


def test_street_and_building_may_stand_in_each_other_s_place() -> None:
    one = features(Person(None, None, "3929", "47 darwinia terrace, the old mill, melville, vic"))
    other = one._replace(town=one.building, building=one.town)

    assert places.LEVELS[places.compare(one, other)[0]] == "same door"
