"""Normal form of the name of a Japanese place."""

import re

from schemas.normal.kanji import newest
from schemas.normal.numbers import KANJI
from schemas.normal.text import folded

_KANJI = "一-鿿々〇"
_REPEAT = re.compile("([一-鿿])々")
# What follows 市 or 字 begins a name of its own: it is not between two kanji of one.
_INSIDE = f"(?<=[{_KANJI}0-9])(?<![都道府県市区郡町村字])"
_LINKS = (
    (re.compile(f"{_INSIDE}[がガ](?=[{_KANJI}])"), "ケ"),
    (re.compile(f"{_INSIDE}[の之](?=[{_KANJI}])"), "ノ"),
    (re.compile(f"{_INSIDE}[つっッ](?=[{_KANJI}])"), "ツ"),
)
"""霞が関 and 霞ヶ関, 虎の門 and 虎ノ門, 三つ沢 and 三ツ沢."""
_ANY_LINK = re.compile("[がガの之つっッ]")
_BAR = re.compile(f"(?<=[{KANJI}0-9])[ー〜](?=[{KANJI}0-9])")
_SMALL = str.maketrans("ヶヵ", "ケカ")


def place(text: str) -> str:
    """The name with modern kanji, one form of ケ, ノ and ツ between kanji, and 々 expanded."""
    form = _REPEAT.sub(r"\1\1", newest(folded(text)).translate(_SMALL))
    form = _BAR.sub("-", form)
    if _ANY_LINK.search(form):
        for link, one in _LINKS:
            form = link.sub(one, form)
    return form
