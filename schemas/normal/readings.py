"""Which kana and which Latin letters say the same name?"""

import re
import unicodedata

import jaconv

from schemas.normal.kana import repeated
from schemas.normal.text import folded

_H_AS_LENGTH = re.compile("(?<=[aiueo])h(?![aiueoy])")
_SYLLABIC_N = re.compile("m(?=[bmp])")
_KUNREI = (
    ("tch", "tty"), ("cch", "tty"), ("ssh", "ssy"), ("sh", "sy"), ("ch", "ty"), ("dj", "zy"),
    ("j", "zy"), ("dz", "z"), ("ts", "t"), ("f", "h"), ("l", "r"), ("v", "b"), ("yi", "i"),
    ("dy", "zy"), ("di", "zi"), ("du", "zu"), ("wo", "o"), ("yy", "y"), ("ou", "o"),
)  # fmt: skip
"""Hepburn to Kunrei, in which every column of the syllabary has one letter."""
_LONG_VOWEL = re.compile(r"([aiueo])\1+")
_ACCENT = re.compile("[\u0300-\u036f]+")
_KANA = re.compile("[ぁ-ゖァ-ヺーゝゞヽヾ]")
_LETTERS = re.compile("[a-z]+")
_NOT_A_LETTER = re.compile(r"[\W_]+")


def reading(text: str) -> str | None:
    """One key for kana and its romanisations; None when it is neither, e.g. kanji.

    Hepburn and Kunrei meet, and long vowels are short, for some write them and some do not: Ohno,
    Oono, Ōno, Ono, おおの and オーノ are `ono`, Sho, Syo and しょう `syo`.
    """
    form = folded(text)
    if _KANA.search(form):
        form = str(jaconv.kana2alphabet(jaconv.kata2hira(repeated(form)))).replace("ー", "")
    if not form.isascii():
        form = _ACCENT.sub("", unicodedata.normalize("NFD", form))
    form = _NOT_A_LETTER.sub("", form)
    if not _LETTERS.fullmatch(form):
        return None
    form = _SYLLABIC_N.sub("n", _H_AS_LENGTH.sub("", form))
    for letters, kunrei in _KUNREI:
        if letters in form:
            form = form.replace(letters, kunrei)
    return _LONG_VOWEL.sub(r"\1", form)
