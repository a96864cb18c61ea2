"""Whose name is it, without how somebody is addressed and how it was typed?"""

import re
import unicodedata
from typing import NamedTuple

import jaconv

from schemas.normal.kanji import newest
from schemas.normal.text import folded


class Name(NamedTuple):
    """Family and given are empty when the text does not tell them apart."""

    family: str
    given: str
    whole: str
    """All letters in the order written, without separators."""


_COMPANY = re.compile(
    r"株式会社|有限会社|合同会社|合資会社|合名会社|\((?:株|有|同|資|名)\)"
    r"|(?<![^\W\d_])(?:inc|ltd|llc|co|corp|corporation|limited|gmbh|k\.?k)\b\.?"
)
_HONORIFIC = re.compile(r"(?:様|さま|サマ|さん|サン|殿|どの|先生|君|くん|ちゃん|御中|氏)$")
_TITLE = re.compile(r"^(?:mr|mrs|ms|miss|mx|dr|prof|sir|rev)\b\.?\s*")
_SUFFIX = re.compile(r"[,\s]+(?:jr|sr|ii|iii|iv|phd|ph\.d|md|m\.d|esq)\.?$")
_SEPARATORS = re.compile(r"[^\w]+|_")
_REPEAT = re.compile(r"(.)々")
_PARTICLES = frozenset(
    (
        "van",
        "von",
        "der",
        "den",
        "de",
        "du",
        "da",
        "di",
        "del",
        "della",
        "la",
        "le",
        "bin",
        "ibn",
        "al",
        "el",
        "ter",
    )
)
_JAPANESE = re.compile("[ぁ-ゖァ-ヺー々一-鿿]")
_KATAKANA_DOT = re.compile(r"[ァ-ヺー]+(?:[・·][ァ-ヺー]+)+")
_SMALL = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_LONG = re.compile("ー+")


def name(text: str) -> Name | None:
    """A person's or company's name; None when no letter is left.

    Japanese is family first; Latin letters and katakana joined by ・ are given first, unless a
    comma says otherwise.
    """
    return _split(_bare(folded(text)), _form)


def kana(text: str) -> Name | None:
    """As `name`, in full-width katakana: small kana as large ones, without long vowel marks."""
    return _split(_bare(folded(text)), _kana_form)


def _bare(form: str) -> str:
    form = _TITLE.sub("", _COMPANY.sub(" ", form))
    return _SUFFIX.sub("", _HONORIFIC.sub("", form.strip()).strip())


def _form(part: str) -> str:
    decomposed = unicodedata.normalize("NFD", part) if not part.isascii() else part
    plain = "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f")
    plain = unicodedata.normalize("NFC", plain)
    return newest(_REPEAT.sub(r"\1\1", _SEPARATORS.sub("", plain)))


def _kana_form(part: str) -> str:
    form = str(jaconv.hira2kata(_form(part)))
    return _LONG.sub("", form.translate(_SMALL))


def _split(form: str, finish: object) -> Name | None:
    assert callable(finish)
    whole = finish(form)
    if not whole:
        return None
    before, comma, after = form.partition(",")
    if comma and finish(before) and finish(after):
        return Name(finish(before), finish(after), whole)
    if _KATAKANA_DOT.fullmatch(form):
        given, _, family = form.replace("·", "・").rpartition("・")
        return Name(finish(family), finish(given), whole)
    parts = [part for part in form.split() if finish(part)]
    if len(parts) < 2:
        return Name("", "", whole)
    if _JAPANESE.search(form):
        return Name(finish(parts[0]), finish("".join(parts[1:])), whole)
    at = len(parts) - 1
    while at > 1 and parts[at - 1] in _PARTICLES:
        at -= 1
    return Name(finish("".join(parts[at:])), finish("".join(parts[:at])), whole)
