"""Defines when two personal values of a kind are equal: if `normalise` gives the same text.

The reason of an error never quotes the value, because reasons end up in answers, logs and dead
letters.
"""

import unicodedata
from collections.abc import Callable
from datetime import date

import jaconv

from schemas.normal import postcodes
from schemas.normal.emails import mailbox
from schemas.normal.phones import line
from schemas.normal.text import HYPHENS, composed, spaced

NORMALISER_VERSION = 1
"""Part of every blind index: raise it if a change gives any value another normal form."""

_LONGEST_IDENTIFIER = 200


def postcode(text: str) -> str:
    """A Japanese postcode as seven digits, a foreign code in capitals; ValueError otherwise."""
    code = postcodes.postcode(text)
    if code is None:
        raise ValueError("is not a postcode: neither 7 digits nor 3 to 10 letters and digits")
    return code


def card(text: str) -> str:
    """A card number: as `identifier`, without spaces and hyphens."""
    # without spaces a combining mark may follow a letter: normalise again
    bare = composed(_without_separators(identifier(text)))
    if not bare:
        raise ValueError("is empty")
    return bare


def identifier(text: str) -> str:
    """An account, device or SNS id: NFKC, upper case, stripped; ValueError if empty or too long."""
    # The upper case of some ligatures is not in normal form: normalise again.
    value = composed(composed(text).upper())
    if not value:
        raise ValueError("is empty")
    if len(value) > _LONGEST_IDENTIFIER:
        raise ValueError(f"is longer than {_LONGEST_IDENTIFIER} characters")
    return value


def name(text: str) -> str:
    """A name or address line: NFKC with single spaces; ValueError if it is empty."""
    return _something(spaced(text))


def kana(text: str) -> str:
    """A name in kana: as `name`, in katakana."""
    return _something(unicodedata.normalize("NFC", str(jaconv.hira2kata(spaced(text)))))


def birth_date(text: str) -> str:
    """A date as YYYY-MM-DD; ValueError for any other text."""
    try:
        return date.fromisoformat(composed(text)).isoformat()
    except ValueError:
        raise ValueError("is not a date like 1990-04-01") from None


def _something(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    return value


def _without_separators(text: str) -> str:
    return HYPHENS.sub("", "".join(text.split()))


NORMALISERS: dict[str, Callable[[str], str]] = {
    "address": name,
    "birth_date": birth_date,
    "card": card,
    "email": mailbox,
    "kana": kana,
    "name": name,
    "phone": line,
    "postcode": postcode,
}
"""The normaliser by kind; for every other kind it is `identifier`."""


def normalise(kind: str, text: str) -> str:
    """The normal form of a value of this kind; raises ValueError with a reason if malformed."""
    if not text or text.isspace():
        raise ValueError("is empty")
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cs"} and not character.isspace():
            raise ValueError("has control characters")
    return NORMALISERS.get(kind, identifier)(text)
