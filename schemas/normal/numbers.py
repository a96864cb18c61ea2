"""Converts between kanji numerals and digits."""

import re

_DIGITS = {kanji: value for value, kanji in enumerate("〇一二三四五六七八九")} | {
    "零": 0, "壱": 1, "壹": 1, "弐": 2, "参": 3,
}  # fmt: skip
_UNITS = {"十": 10, "拾": 10, "百": 100, "千": 1000}
_ONES = "〇一二三四五六七八九"
KANJI = "".join((*_DIGITS, *_UNITS))
"""The characters of kanji numbers."""
_KANJI_NUMBER = re.compile(f"[{KANJI}]+")
_BELOW_100 = re.compile("(?<![0-9])[0-9]{1,2}(?![0-9])")


def number(text: str) -> int:
    """The value of digits or of a kanji number, positional (一二三) or with units (百二十三)."""
    if text.isdecimal():
        return int(text)
    total = 0
    part: int | None = None
    for letter in text:
        unit = _UNITS.get(letter)
        if unit:
            total += (1 if part is None else part) * unit
            part = None
        else:
            part = (part or 0) * 10 + _DIGITS[letter]
    return total + (part or 0)


def in_digits(text: str) -> str:
    """Replaces kanji numbers by digits: 昭和五十五年 becomes 昭和55年."""
    return text if text.isascii() else _KANJI_NUMBER.sub(lambda found: str(number(found[0])), text)


def in_kanji(text: str) -> str:
    """Replaces numbers below 100 by kanji, as in town names: 北1条西 becomes 北一条西."""
    return _BELOW_100.sub(lambda found: _by_units(int(found[0])), text)


def _by_units(value: int) -> str:
    tens, ones = divmod(value, 10)
    if not tens:
        return _ONES[ones]
    return (_ONES[tens] if tens > 1 else "") + "十" + (_ONES[ones] if ones else "")
