"""Normal form of a person's or company's name: no titles, one script, one letter form."""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from schemas.normal.kana import katakana, repeated, sounded
from schemas.normal.kanji import newest
from schemas.normal.text import folded
from schemas.normal.titles import Bare, untitled


class Name(NamedTuple):
    """Family and given name; both are empty when the text does not separate them."""

    family: str
    given: str
    """Without middle initials."""
    whole: str
    """All letters in the order written, without separators."""


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
"""What belongs to the family name after it: ludwig van beethoven."""
_LONE_BAR = re.compile("(?<![ァ-ヺー])ー+")
_JAPANESE = re.compile("[ぁ-ゖァ-ヺー々一-鿿]")
_KATAKANA_DOTS = re.compile("[ァ-ヺーa-z.]+(?:[・·] ?[ァ-ヺーa-z.]+)+")


def name(text: str) -> Name | None:
    """A person's or company's name; None when no letter is left.

    Kanji in their newest form, hiragana as katakana, Latin letters small and without accents.
    Japanese is family first; Latin letters, and katakana joined by ・, are given first, unless a
    comma says otherwise.
    """
    return _split(untitled(folded(text)), _letters)


def kana(text: str) -> Name | None:
    """As `name`, with kana reduced to their sound: see `kana.sounded`."""
    return _split(untitled(katakana(folded(text))), _sounds)


def _letters(part: str) -> str:
    if part.isascii():
        return _NOT_A_LETTER.sub("", part)
    form = repeated(_NOT_A_LETTER.sub("", part)).translate(_LETTERS)
    # A long vowel mark after no kana is no letter; it must not make a Latin name a Japanese name.
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
    """Given names without initials, unless there are only initials."""
    long = [word for word in words if len(_NOT_A_LETTER.sub("", word)) > 1 or not word.isascii()]
    return "".join(long or words)
