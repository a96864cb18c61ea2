"""Which ways of writing a Japanese place or number are the same place or number?"""

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

_DIGITS = {kanji: value for value, kanji in enumerate("〇一二三四五六七八九")} | {
    "零": 0, "壱": 1, "壹": 1, "弐": 2, "弍": 2, "参": 3,
}  # fmt: skip
_UNITS = {"十": 10, "拾": 10, "百": 100, "千": 1000}
KANJI_NUMBER = "".join((*_DIGITS, *_UNITS))
"""What kanji numbers are written with."""
_ASCII_NUMBER = re.compile("[0-9]{1,2}(?![0-9])")
_ONES = "〇一二三四五六七八九"


def place(text: str) -> str:
    """A place's name in one form: new kanji, ケ, ノ and ツ between kanji, 々 written out."""
    form = _REPEAT.sub(r"\1\1", newest(folded(text)).translate(_SMALL))
    if _ANY_LINK.search(form):
        for link, one in _LINKS:
            form = link.sub(one, form)
    return form


def number(text: str) -> int:
    """The value of digits or of a kanji number, by places (一二三) or by units (百二十三)."""
    if text.isdecimal():
        return int(text)
    total, part = 0, None
    for letter in text:
        unit = _UNITS.get(letter)
        if unit:
            total += (1 if part is None else part) * unit
            part = None
        else:
            part = (part or 0) * 10 + _DIGITS[letter]
    return total + (part or 0)


def in_kanji(text: str) -> str:
    """Each number below 100 in kanji by units, as towns have it: 北1条西 is 北一条西."""
    return _ASCII_NUMBER.sub(lambda found: _kanji(int(found[0])), text)


def _kanji(value: int) -> str:
    tens, ones = divmod(value, 10)
    if not tens:
        return _ONES[ones]
    return (_ONES[tens] if tens > 1 else "") + "十" + (_ONES[ones] if ones else "")
