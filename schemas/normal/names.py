"""Normal form of a person's or company's name, in one script and letter form.

Without titles, suffixes, company forms and bracketed text: see `schemas.normal.titles`.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from schemas.normal.kana import katakana, repeated, sounded
from schemas.normal.kanji import newest
from schemas.normal.text import folded
from schemas.normal.titles import Bare, untitled


class Name(NamedTuple):
    """Family and given name; both are empty if the text does not separate them."""

    family: str
    given: str
    """Without middle initials."""
    whole: str
    """All letters in the order of the text, without separators."""


_NOT_A_LETTER = re.compile(r"[\W_]+")
_ACCENT = re.compile("[\u0300-\u036f]+")
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
    | {"ヶ": "ケ", "ヵ": "カ"}
)
_PARTICLES = frozenset(
    ("al", "bin", "da", "de", "del", "della", "den", "der", "di", "du", "el", "ibn", "la", "le",
     "mac", "mc", "o", "st", "ten", "ter", "van", "von")
)  # fmt: skip
"""Particles that belong to the family name that follows: ludwig van beethoven."""
_LONE_BAR = re.compile("(?<![ァ-ヺー])ー+")
_JAPANESE = re.compile("[ぁ-ゖァ-ヺー々一-鿿]")
_KATAKANA_DOTS = re.compile("[ァ-ヺーa-z.]+(?:[・·] ?[ァ-ヺーa-z.]+)+")


def name(text: str) -> Name | None:
    """Parses a person's or company's name; None if no letters are left of it.

    Kanji get their newest form, hiragana become katakana, Latin letters lower case without accents.
    In Japanese the family name comes first; in Latin letters, and in katakana joined by ・, the
    given name, unless the family name is followed by a comma.
    """
    return _split(untitled(folded(text)), _letters)


def kana(text: str) -> Name | None:
    """As `name`, but spells kana by sound: see `kana.sounded`."""
    return _split(untitled(katakana(folded(text))), _sounds)


def _letters(part: str) -> str:
    if part.isascii():
        return _NOT_A_LETTER.sub("", part)
    form = repeated(_NOT_A_LETTER.sub("", part)).translate(_LETTERS)
    # A long vowel mark that follows no kana is dropped; else a Latin name would count as Japanese.
    form = _LONE_BAR.sub("", katakana(form))
    if not _JAPANESE.search(form):
        form = _ACCENT.sub("", unicodedata.normalize("NFD", form))
        return unicodedata.normalize("NFC", form)
    return newest(form)


def _sounds(part: str) -> str:
    return sounded(_letters(part))


def _split(bare: Bare, finished: Callable[[str], str]) -> Name | None:
    whole = finished(bare.form)
    if not whole:
        return None
    family, given = ("", "") if bare.company else _parts(bare.form)
    family, given = finished(family), finished(given)
    return Name(family, given, whole) if family and given else Name("", "", whole)


def _parts(form: str) -> tuple[str, str]:
    before, comma, after = form.partition(",")
    if comma:
        return before, _given(after.split())
    if _KATAKANA_DOTS.fullmatch(form):
        given, _, family = form.replace("·", "・").rpartition("・")
        return family, given
    words = [word for word in form.split() if _NOT_A_LETTER.sub("", word)]
    if len(words) < 2:
        return "", ""
    if _JAPANESE.search(form):
        return words[0], "".join(words[1:])
    at = len(words) - 1
    while at > 1 and words[at - 1].rstrip(".") in _PARTICLES:
        at -= 1
    return "".join(words[at:]), _given(words[:at])


def _given(words: list[str]) -> str:
    """The given names joined, without initials unless there are only initials."""
    long = [word for word in words if len(_NOT_A_LETTER.sub("", word)) > 1 or not word.isascii()]
    return "".join(long or words)
