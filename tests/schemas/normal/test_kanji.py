"""Old, rare and new forms of a kanji meet; different characters do not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.normal.kanji import newest

NAMES = [
    ("髙橋", "高橋"),
    ("山﨑", "山崎"),
    ("渡邊", "渡辺"),
    ("渡邉", "渡辺"),
    ("齋藤", "斎藤"),
    ("齊藤", "斉藤"),
    ("濵田", "浜田"),
    ("濱田", "浜田"),
    ("澤井", "沢井"),
    ("廣瀨", "広瀬"),
    ("櫻井", "桜井"),
    ("龍田", "竜田"),
    ("中嶋", "中島"),
    ("嶌田", "島田"),
    ("栁田", "柳田"),
    ("𠮷野", "吉野"),
    ("圡屋", "土屋"),
    ("冨田", "富田"),
    ("惠子", "恵子"),
    ("眞一", "真一"),
    ("國廣", "国広"),
    ("藪内", "薮内"),
    ("舘野", "館野"),
    ("德川", "徳川"),
]
APART = ["斉斎", "師帥", "書昼", "玉王", "着著", "功切", "己巳", "藤籐", "大太", "木本", "山川"]
PAIRS = (Path(__file__).parent / "older_kanji.txt").read_text("utf-8").split()
"""Older and newer form: what OpenCC 1.4.2 (Apache-2.0) turns into new characters (t2jp)."""


@pytest.mark.parametrize(("older", "newer"), NAMES)
def test_a_name_in_old_kanji_is_the_name_in_new_ones(older: str, newer: str) -> None:
    assert newest(older) == newest(newer) == newer


@pytest.mark.parametrize("pair", APART)
def test_different_characters_stay_apart(pair: str) -> None:
    assert newest(pair[0]) != newest(pair[1])


def test_another_library_s_old_and_new_forms_are_the_same_here() -> None:
    """The dozen that differ are Chinese usage (值, 聯, 鬥) or spelling rather than shape (纔)."""
    apart = [pair for pair in PAIRS if newest(pair[0]) != newest(pair[1])]
    assert len(PAIRS) > 400
    assert len(apart) <= 0.05 * len(PAIRS), apart


@given(st.text(st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF), max_size=20))
def test_a_newest_form_is_its_own_newest_form(text: str) -> None:
    assert newest(newest(text)) == newest(text)
    assert len(newest(text)) == len(text)


def test_characters_of_everyday_use_are_not_merged_with_each_other() -> None:
    """JIS level 1, the 2,965 commonest: a newest form belongs to its variants alone."""
    everyday = [bytes((lead, trail)) for lead in range(0x88, 0x99) for trail in range(0x40, 0xFD)]
    merged = {}
    for code in everyday:
        character = code.decode("shift_jis", "ignore")
        if len(character) == 1 and code < b"\x98\x73" and newest(character) != character:
            merged[character] = newest(character)
    assert len(merged) <= 40, merged
