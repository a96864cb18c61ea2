"""Removes titles (様, Mr), suffixes (Jr), company forms (株式会社) and bracketed text of names."""

import re
from typing import NamedTuple

_COMPANY = re.compile(
    r"株式会社|有限会社|合同会社|合資会社|合名会社|\((?:株|有|同|資|名)\)"
    r"|[カか]ブシキ[ガカ]イシ[ャヤ]|ユウゲン[ガカ]イシ[ャヤ]|ゴウドウ[ガカ]イシ[ャヤ]"
    r"|\((?:カ|ユ|ド)\)|^(?:カ|ユ|ド)\)|\((?:カ|ユ|ド)$"
)
_COMPANY_LATIN = re.compile(
    r"(?:[,\s]+(?:co|company|corp|corporation|inc|incorporated|k\.?k|limited|llc|ltd|plc|gmbh)\b\.?)+$"
)
_IN_BRACKETS = re.compile(r"\([^()]*\)")
"""Text in brackets: a maiden name, or the name in kana."""
_HONORIFIC = re.compile(r"(?:\s*(?:様|さま|サマ|さん|殿|先生|御中))+$")
_HONORIFIC_APART = re.compile(r"(?:\s+(?:サン|君|くん|クン|ちゃん|チャン|氏|どの|ドノ|センセイ))+$")
"""Honorifics that names may also end with (李文君): removed only after a space."""
_TITLE = re.compile(r"^(?:mr|mrs|ms|miss|mx|master|dr|prof|professor|sir|rev)(?:\.\s*|\s+)(?=\w)")
_SUFFIX = re.compile(r"[,\s]+(?:jr|sr|ii|iii|iv|phd|ph\.d|md|m\.d|esq)\.?$")
_ENDS = " ,・"


class Bare(NamedTuple):
    """The name without what `untitled` removes. `company`: it had a company form."""

    form: str
    company: bool


def untitled(form: str) -> Bare:
    """Removes titles, suffixes, company forms and bracketed text of a name.

    `form`: as `text.folded` returns it.
    """
    before = len(form)
    if not form.isascii():
        form = _COMPANY.sub(" ", form).strip(_ENDS)
    form = _COMPANY_LATIN.sub("", form)
    company = len(form) < before
    if "(" in form:
        form = _IN_BRACKETS.sub(" ", form).strip(_ENDS) or form
    if not form.isascii():
        form = _HONORIFIC_APART.sub("", _HONORIFIC.sub("", form))
    return Bare(_SUFFIX.sub("", _TITLE.sub("", form)).strip(_ENDS), company)
