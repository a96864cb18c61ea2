"""Normal form of the names of Japanese places."""

import re

from schemas.normal.kanji import newest
from schemas.normal.numbers import KANJI
from schemas.normal.text import folded

_KANJI = "一-鿿々〇"
_REPEAT = re.compile("([一-鿿])々")
# After 市 or 字 another name begins: such a letter is not between two kanji of the same name.
_INSIDE = f"(?<=[{_KANJI}0-9])(?<![都道府県市区郡町村字])"
_LINKS = (
    (re.compile(f"{_INSIDE}[がガ](?=[{_KANJI}])"), "ケ"),
    (re.compile(f"{_INSIDE}[の之](?=[{_KANJI}])"), "ノ"),
    (re.compile(f"{_INSIDE}[つっッ](?=[{_KANJI}])"), "ツ"),
)
"""Makes equal: 霞が関 and 霞ヶ関, 虎の門 and 虎ノ門, 三つ沢 and 三ツ沢."""
_ANY_LINK = re.compile("[がガの之つっッ]")
_BAR = re.compile(f"(?<=[{KANJI}0-9])[ー〜](?=[{KANJI}0-9])")
_SMALL = str.maketrans("ヶヵ", "ケカ")


def place(text: str) -> str:
    """The name in modern kanji, with a single form of ケ, ノ and ツ between kanji, 々 expanded."""
    form = _REPEAT.sub(r"\1\1", newest(folded(text)).translate(_SMALL))
    form = _BAR.sub("-", form)
    if _ANY_LINK.search(form):
        for link, one in _LINKS:
            form = link.sub(one, form)
    return form
