"""How is a reading written: in hiragana, in half-width kana, in romaji?"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_HALF = {
    unicodedata.normalize("NFKC", chr(half)): chr(half) for half in range(0xFF66, 0xFF9E)
}  # ｦ to ﾝ
_MARKS = {"\u3099": "ﾞ", "\u309a": "ﾟ"}


def _half_width(sign: str) -> str:
    return "".join(
        _MARKS.get(part) or _HALF.get(part, part) for part in unicodedata.normalize("NFD", sign)
    )


_KATAKANA = [chr(code) for code in range(0x30A1, 0x30F7)] + ["ー"]
HALF_WIDTH = {ord(sign): _half_width(sign) for sign in _KATAKANA}
HIRAGANA = {ord(sign): chr(ord(sign) - 0x60) for sign in _KATAKANA if sign != "ー"}

_ROWS = {
    "": "アイウエオ", "k": "カキクケコ", "s": "サシスセソ", "t": "タチツテト",
    "n": "ナニヌネノ", "h": "ハヒフヘホ", "m": "マミムメモ", "y": "ヤ ユ ヨ",
    "r": "ラリルレロ", "w": "ワ   ヲ", "g": "ガギグゲゴ", "z": "ザジズゼゾ",
    "d": "ダヂヅデド", "b": "バビブベボ", "p": "パピプペポ",
}  # fmt: skip
_IRREGULAR = {
    "シ": "shi", "チ": "chi", "ツ": "tsu", "フ": "fu", "ジ": "ji", "ヂ": "ji", "ヅ": "zu",
    "ヲ": "o", "ン": "n", "ヴ": "vu",
}  # fmt: skip
_SYLLABLES = {
    sign: row + vowel
    for row, signs in _ROWS.items()
    for sign, vowel in zip(signs, "aiueo", strict=True)
} | _IRREGULAR
_SMALL = {"ャ": "a", "ュ": "u", "ョ": "o", "ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o"}


@lru_cache(maxsize=100_000)
def spelt(katakana: str) -> str:
    """Hepburn with every vowel: ヨウイチロウ is youichirou."""
    out = ""
    double = False
    for sign in katakana:
        if sign == "ッ":
            double = True
        elif sign == "ー":
            out += out[-1:]
        elif sign in _SMALL:
            stem = out[:-1]
            out = (
                stem + ("" if stem[-2:] in ("sh", "ch") or stem[-1:] == "j" else "y") + _SMALL[sign]
            )
        else:
            syllable = _SYLLABLES[sign]
            out += ("t" if syllable.startswith("ch") else syllable[0]) * double + syllable
            double = False
    return out


@lru_cache(maxsize=100_000)
def romaji(katakana: str) -> str:
    """Hepburn as passports have it, long o and u written once: オオタ is ota, ヨウコ is yoko."""
    return spelt(katakana).replace("ou", "o").replace("oo", "o").replace("uu", "u")
