"""One name however it is addressed and typed; kana by their sound, readings in either script."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.normal import Name, kana, name, reading
from tests.schemas.normal.test_text import ASCII, WIDE

NAMES = [
    ("山田　太郎 様", "山田", "太郎"),
    ("山田 太郎先生", "山田", "太郎"),
    ("佐々木 小次郎", "佐佐木", "小次郎"),
    ("髙橋 邉子", "高橋", "辺子"),
    ("やまだ たろう", "ヤマダ", "タロウ"),
    ("辻\U000e0100 みすゞ", "辻", "ミスズ"),
    ("山田 花子（旧姓：佐藤）", "山田", "花子"),
    ("山田(佐藤) 花子", "山田", "花子"),
    ("マイケル・ジョーダン", "ジョーダン", "マイケル"),
    ("ジョン・F・ケネディ", "ケネディ", "ジョンf"),
    ("Smith, John A.", "smith", "john"),
    ("Mr. John A. Smith", "smith", "john"),
    ("ＪＯＨＮ　ＳＭＩＴＨ", "smith", "john"),
    ("Dr. José Nuñez, PhD", "nunez", "jose"),
    ("Smith, John, Jr.", "smith", "john"),
    ("Ludwig van Beethoven", "vanbeethoven", "ludwig"),
    ("Marcus O’Brien", "obrien", "marcus"),
    ("Ann Mc Donald", "mcdonald", "ann"),
    ("McDonald, Ann", "mcdonald", "ann"),
    ("J. K. Rowling", "rowling", "jk"),
]
ONE_WORD = [
    ("株式会社山田商店", "山田商店"),
    ("㈱山田商店", "山田商店"),
    ("山田商店（株） 御中", "山田商店"),
    ("Acme Trading Co., Ltd.", "acmetrading"),
    ("Acme Trading Inc", "acmetrading"),
    ("山田太郎", "山田太郎"),
    ("李文君", "李文君"),
    ("田中さん", "田中"),
]
KANA = [
    ("ﾔﾏﾀﾞ ﾀﾛｳ", "ヤマダ", "タロウ"),
    ("やまだ　たろう様", "ヤマダ", "タロウ"),
    ("オーノ ショーイチ", "オウノ", "シヨウイチ"),
    ("おおの しょういち", "オウノ", "シヨウイチ"),
    ("ｵｵﾉ ｼﾖｳｲﾁ", "オウノ", "シヨウイチ"),
    ("ミヅノ ケーコ", "ミズノ", "ケイコ"),
    ("タ゛テ ヴァレリー", "ダテ", "バレリイ"),
    ("いすゞ みちゝ", "イスズ", "ミチチ"),
]
READINGS = [
    ("ono", "Ohno Oono Ono Ōno Ôno おおの オーノ おの ｵｵﾉ オウノ"),
    ("syo", "Sho Syo Shō Shou しょう ショー"),
    ("ito", "Itoh Ito Itō いとう"),
    ("zyuniti", "Jun'ichi Junichi Zyun-iti じゅんいち"),
    ("nanba", "Namba Nanba なんば"),
    ("matti", "Matchi Macchi Matti マッチ"),
    ("tutiya", "Tsuchiya Tutiya つちや"),
    ("huzita", "Fujita Huzita ふじた フヂタ"),
    ("tina", "Tina ティナ"),
    ("satoitiro", "SATOH_ICHIROH さとう・いちろう"),
]


@pytest.mark.parametrize(("written", "family", "given_"), NAMES)
def test_a_name_has_its_parts(written: str, family: str, given_: str) -> None:
    found = name(written)
    assert found is not None
    assert found[:2] == (family, given_)


@pytest.mark.parametrize(("written", "whole"), ONE_WORD)
def test_a_name_that_does_not_tell_its_parts_is_whole(written: str, whole: str) -> None:
    assert name(written) == Name("", "", whole)


@pytest.mark.parametrize(("written", "family", "given_"), KANA)
def test_kana_have_one_form(written: str, family: str, given_: str) -> None:
    assert kana(written) == Name(family, given_, family + given_)


def test_a_long_vowel_is_not_a_short_one_in_kana() -> None:
    assert kana("オオノ") != kana("オノ")
    assert kana("ユウコ") != kana("ユコ")


@pytest.mark.parametrize(("key", "forms"), READINGS)
def test_a_reading_is_one_in_kana_and_in_latin_letters(key: str, forms: str) -> None:
    assert {reading(form) for form in forms.split()} == {key}


@pytest.mark.parametrize("text", ["小野", "123", "", "ー", "山田 taro"])
def test_what_is_not_spelled_by_sound_has_no_reading(text: str) -> None:
    assert reading(text) is None


@pytest.mark.parametrize("text", ["", "　", "様", "・", "---", "\0", "株式会社", "\ud800"])
def test_nothing_is_no_name(text: str) -> None:
    assert name(text) is None
    assert kana(text) is None


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_none(text: str) -> None:
    for form in (name(text), kana(text)):
        if form is not None:
            assert form.whole
            assert bool(form.family) == bool(form.given)
    assert reading(text) != ""


_LETTERS = st.text(
    st.sampled_from("山田髙々邉ヶやヤーゝャ様殿先生株式会社() 　aBé.,・ﾔｶﾞ"), max_size=14
)


@given(_LETTERS | st.text(max_size=30))
@example("éー")
@example("ーÉ")
@example("ジョé ー")
def test_a_whole_name_is_its_own_form(text: str) -> None:
    for form in (name, kana):
        once = form(text)
        if once is not None:
            # Letters that were apart may be a title when they are joined: 様 of "先 生".
            again = form(f"{once.whole} x")
            assert again is not None
            assert again.whole == f"{once.whole}x"


@given(ASCII)
def test_width_and_case_do_not_matter(text: str) -> None:
    assert name(text.translate(WIDE)) == name(text.upper()) == name(text)
    assert reading(text.translate(WIDE)) == reading(text.upper()) == reading(text)


_KANA_LETTERS = st.text(st.characters(min_codepoint=0x3041, max_codepoint=0x3094), min_size=1)


@given(_KANA_LETTERS, _KANA_LETTERS)
def test_hiragana_katakana_and_order_of_folding_do_not_matter(family: str, given_: str) -> None:
    written = f"{family} {given_}"
    once = kana(written)
    assert kana(written.translate({code: code + 0x60 for code in range(0x3041, 0x3095)})) == once
    if once is not None:
        again = kana(once.whole)
        assert again is not None
        assert again.whole == once.whole
