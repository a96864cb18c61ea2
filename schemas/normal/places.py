"""Which ways of writing a Japanese place are the same place?"""

import re

from schemas.normal.kanji import newest
from schemas.normal.text import folded

_KANJI = "一-鿿々〇"
_REPEAT = re.compile("([一-鿿])々")
_LINKS = (
    (re.compile(f"(?<=[{_KANJI}])[がガ](?=[{_KANJI}])"), "ケ"),
    (re.compile(f"(?<=[{_KANJI}])[の之乃](?=[{_KANJI}])"), "ノ"),
    (re.compile(f"(?<=[{_KANJI}])[つっッ](?=[{_KANJI}])"), "ツ"),
)
"""霞が関 and 霞ヶ関, 虎の門 and 虎ノ門, 三つ沢 and 三ツ沢."""
_ANY_LINK = re.compile("[がガの之乃つっッ]")
_SMALL = str.maketrans("ヶヵ", "ケカ")


def place(text: str) -> str:
    """A place's name in one form: new kanji, ケ, ノ and ツ between kanji, 々 written out."""
    form = _REPEAT.sub(r"\1\1", newest(folded(text)).translate(_SMALL))
    if _ANY_LINK.search(form):
        for link, one in _LINKS:
            form = link.sub(one, form)
    return form
