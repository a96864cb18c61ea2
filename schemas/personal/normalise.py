"""When are two spellings of a phone number, an address or a name equal? When `normalise` agrees.

An error's reason never quotes the value, because reasons end up in answers, logs and dead letters.
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
"""Part of every blind index: raise it when a change gives an existing value another form."""

_LONGEST_IDENTIFIER = 200


def postcode(text: str) -> str:
    """Seven digits; a foreign code in capitals without spaces and hyphens. ValueError otherwise."""
    code = postcodes.postcode(text)
    if code is None:
        raise ValueError("is not a postcode: neither 7 digits nor 3 to 10 letters and digits")
    return code


def card(text: str) -> str:
    # a mark that stood behind a space now stands behind a letter, and is part of it
    bare = composed(_without_separators(identifier(text)))
    if not bare:
        raise ValueError("is empty")
    return bare


def identifier(text: str) -> str:
    """An account, device or SNS id: NFKC, upper case, no outer space; nothing else is changed."""
    # Capitals of some ligatures are not in normal form themselves, hence once more.
    value = composed(composed(text).upper())
    if not value:
        raise ValueError("is empty")
    if len(value) > _LONGEST_IDENTIFIER:
        raise ValueError(f"is longer than {_LONGEST_IDENTIFIER} characters")
    return value


def name(text: str) -> str:
    return _something(spaced(text))


def kana(text: str) -> str:
    return _something(unicodedata.normalize("NFC", str(jaconv.hira2kata(spaced(text)))))


def birth_date(text: str) -> str:
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
"""Everything else is an identifier."""


def normalise(kind: str, text: str) -> str:
    """The normal form of a value of this kind; ValueError says why it has none, never
    quoting it.
    """
    if not text or text.isspace():
        raise ValueError("is empty")
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cs"} and not character.isspace():
            raise ValueError("has control characters")
    return NORMALISERS.get(kind, identifier)(text)
