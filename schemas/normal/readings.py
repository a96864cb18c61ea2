"""Computes the same key from a name in kana and from its romanisations."""

import re
import unicodedata

import jaconv

from schemas.normal.kana import repeated
from schemas.normal.text import folded

_FOREIGN = {
    "てぃ": "ti", "でぃ": "di", "とぅ": "tu", "どぅ": "du", "しぇ": "sye", "じぇ": "zye",
    "ちぇ": "tye", "うぃ": "wi", "うぇ": "we", "うぉ": "wo", "つぁ": "tsa", "つぇ": "tse",
    "つぉ": "tso", "てゅ": "tyu", "でゅ": "dyu", "ふゅ": "fyu",
    "ぢゃ": "zya", "ぢゅ": "zyu", "ぢょ": "zyo",
}  # fmt: skip
"""Sounds, mostly of foreign names, that the library would spell letter by letter."""
_ANY_FOREIGN = re.compile("|".join(_FOREIGN))
_H_AS_LENGTH = re.compile("(?<=[aiueo])h(?![aiueoy])")
"""An h that marks a long vowel; applied before words are joined, because of satoh ichiro."""
_SYLLABIC_N = re.compile("m(?=[bmp])")
_KUNREI = (
    ("tch", "tty"), ("cch", "tty"), ("ssh", "ssy"), ("sh", "sy"), ("ch", "ty"), ("dj", "zy"),
    ("j", "zy"), ("dz", "z"), ("ts", "t"), ("f", "h"), ("l", "r"), ("v", "b"), ("yi", "i"),
    ("dy", "zy"), ("di", "zi"), ("du", "zu"), ("wo", "o"), ("yy", "y"),
)  # fmt: skip
"""Replacements of Hepburn by Kunrei spellings."""
_LONG_VOWEL = re.compile(r"o[ou]+|([aiue])\1+")
_ACCENT = re.compile("[\u0300-\u036f]+")
_KANA = re.compile("[ぁ-ゖァ-ヺーゝゞヽヾ]")
_LETTERS = re.compile("[a-z]+")
_NOT_A_LETTER = re.compile(r"[\W_]+")


def reading(text: str) -> str | None:
    """The key of a text in kana or Latin letters; None for any other text, such as kanji.

    Hepburn and Kunrei give the same key, and long vowels are shortened, because both spellings
    occur: Ohno, Oono, Ōno, Ono, おおの and オーノ are `ono`; Sho, Syo and しょう are `syo`.
    """
    form = folded(text)
    if _KANA.search(form):
        form = _spelled(str(jaconv.kata2hira(repeated(form))))
    if not form.isascii():
        form = _ACCENT.sub("", unicodedata.normalize("NFD", form))
    # Before the words are joined: satoh ichiro.
    form = _NOT_A_LETTER.sub("", _H_AS_LENGTH.sub("", form))
    if not _LETTERS.fullmatch(form):
        return None
    form = _SYLLABIC_N.sub("n", form)
    for letters, kunrei in _KUNREI:
        if letters in form:
            form = form.replace(letters, kunrei)
    return _LONG_VOWEL.sub(lambda found: found[0][0], form)


def _spelled(hiragana: str) -> str:
    form = _ANY_FOREIGN.sub(lambda found: _FOREIGN[found[0]], hiragana)
    # The library spells a small つ that doubles no consonant as "xtsu".
    return str(jaconv.kana2alphabet(form)).replace("ー", "").replace("xtsu", "")
