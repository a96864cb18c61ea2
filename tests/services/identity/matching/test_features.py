"""Do features survive being stored, and say what the person's facts say?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.matching import Features, Person, features

maybe = st.none() | st.text(max_size=40)
persons = st.builds(
    Person, maybe, maybe, maybe, maybe, maybe,
    st.lists(
        st.tuples(st.sampled_from(("card", "email", "phone")), st.binary(min_size=16, max_size=16)),
        max_size=4,
    ).map(tuple),
)  # fmt: skip


@given(persons)
def test_what_was_packed_is_unpacked_unchanged(person: Person) -> None:
    known = features(person)

    assert Features.unpacked(known.packed()) == known


def test_however_it_was_typed_the_features_are_the_same() -> None:
    one = Person("髙橋　花子 様", "ﾀｶﾊｼ ﾊﾅｺ", "100-0005", "東京都千代田区丸の内1-2-3", "1990-04-01")
    other = Person(
        "高橋 花子", "たかはし はなこ", "1000005", "千代田区丸の内１丁目２番３号", "平成2年4月1日"
    )

    assert features(one) == features(other)


def test_a_name_in_kana_or_latin_letters_is_its_own_reading() -> None:
    written, read = features(Person("Taro Yamada")), features(Person("ヤマダ タロウ"))

    assert (written.family_reading, written.given_reading) == (
        read.family_reading, read.given_reading,
    )  # fmt: skip


def test_an_identifier_named_twice_counts_once_and_order_does_not_matter() -> None:
    a, b = ("phone", b"a" * 16), ("phone", b"b" * 16)

    assert features(Person(identifiers=(b, a, b))) == features(Person(identifiers=(a, b)))


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"\xff", "features: the packed bytes are not UTF-8"),
        (b"1\x1fa", "features: packed in format '1'"),
        (b"2\x1fa", "features: have 1 fields, fewer than 13"),
        (Features().packed() + b"\x1fphone\x1ezz", "features.identifiers: hold a value"),
    ],
)
def test_what_is_no_features_is_said_to_be_none(packed: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Features.unpacked(packed)
