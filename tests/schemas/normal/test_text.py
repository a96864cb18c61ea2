"""Width, case, space and stroke do not matter; what cannot be seen is not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.normal.text import folded

SAME = [
    ("ＡＢＣ　１２３", "abc 123"),
    ("ﾔﾏﾀﾞ", "ヤマダ"),
    ("  a \t b\n", "a b"),
    ("1‐2–3—4―5−6－7", "1-2-3-4-5-6-7"),
    ("1ー2", "1-2"),
    ("3〜4", "3-4"),
    ("コ−ヒ−", "コーヒー"),
    ("ｺｰﾋｰ", "コーヒー"),
    ("辻\U000e0100", "辻"),
    ("神\ufe00", "神"),
    ("a\u200bb\u00adc\0", "abc"),
    ("㈱", "(株)"),
    ("㍿", "株式会社"),
    ("Straße", "strasse"),
    ("か\u3099", "が"),
]
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)


@pytest.mark.parametrize(("written", "form"), SAME)
def test_text_has_one_form(written: str, form: str) -> None:
    assert folded(written) == form


@given(st.text(max_size=40))
def test_a_form_is_its_own_form(text: str) -> None:
    once = folded(text)
    assert folded(once) == once


@given(ASCII)
def test_full_width_and_capitals_are_the_same_text(text: str) -> None:
    assert folded(text.translate(WIDE)) == folded(text.upper()) == folded(text)
