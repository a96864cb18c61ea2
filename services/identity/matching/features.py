"""What of a person is compared, and how is it kept until somebody compares it?

`features` brings a person's texts into their normal form once; `packed` keeps the result in some
hundred bytes, so that a restart unpacks what took a hundred times as long to normalise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from sys import intern
from typing import NamedTuple

from schemas import normal

FORMAT = "2"
"""Part of every packed form: raise it when fields or their normal forms change."""

_BETWEEN, _WITHIN = "\x1f", "\x1e"
_SEPARATORS = re.compile("[\x1e\x1f]")
_KANA = re.compile("[ァ-ヺーぁ-ゖ]+")
_LATIN = re.compile("[a-z]+")
_VALUE_BYTES = 8


class Person(NamedTuple):
    """A profile in clear, as its facts say it; identifiers are (kind, blind index of the value)."""

    name: str | None = None
    name_kana: str | None = None
    postcode: str | None = None
    address: str | None = None
    birth_date: str | None = None
    identifiers: tuple[tuple[str, bytes], ...] = ()


class Features(NamedTuple):
    """Normal forms; what is not known is empty. A name that cannot be split is `whole`.

    The reading is that of the kana, or of a name written in kana or Latin letters; it is in
    Latin letters, without length marks (`schemas.normal.reading`).
    """

    family: str = ""
    given: str = ""
    whole: str = ""
    family_reading: str = ""
    given_reading: str = ""
    whole_reading: str = ""
    birth_date: str = ""
    prefecture: str = ""
    city: str = ""
    town: str = ""
    block: str = ""
    building: str = ""
    postcode: str = ""
    identifiers: tuple[tuple[str, bytes], ...] = ()
    """(kind, the first eight bytes of the blind index), in order."""

    def packed(self) -> bytes:
        """As short as can be; `unpacked` gives the same features back."""
        parts = [FORMAT, *self[:-1]]
        parts += [f"{kind}{_WITHIN}{value.hex()}" for kind, value in self.identifiers]
        return _BETWEEN.join(parts).encode()

    @staticmethod
    def unpacked(packed: bytes) -> Features:
        """The features; ValueError when these are none, or of another format."""
        try:
            parts = packed.decode().split(_BETWEEN)
        except UnicodeDecodeError:
            raise ValueError("features: are not text") from None
        if parts[0] != FORMAT:
            raise ValueError(f"features: are of format {parts[0][:10]!r}, not {FORMAT}")
        if len(parts) < _TEXTS + 1:
            raise ValueError(f"features: have {len(parts) - 1} fields, fewer than {_TEXTS}")
        # Names, places and days are shared by many: a million people then need half the memory.
        texts = map(intern, parts[1 : _TEXTS + 1])
        return Features._make((*texts, tuple(map(_identifier, parts[_TEXTS + 1 :]))))


_TEXTS = len(Features._fields) - 1


def features(person: Person) -> Features:
    """The normal forms of what is known; nothing raises, what has no normal form is left out."""
    name = normal.name(person.name) if person.name else None
    kana = normal.kana(person.name_kana) if person.name_kana else None
    if name and not kana and _KANA.fullmatch(name.whole):
        kana = normal.kana(person.name or "")
    if kana and name and _KANA.fullmatch(name.whole):
        name = None
    spoken = kana or (name if name and _LATIN.fullmatch(name.whole) else None)
    postcode = normal.postcode(person.postcode) if person.postcode else None
    where = normal.address(person.address, postcode) if person.address else None
    born = normal.birth_date(person.birth_date) if person.birth_date else None
    texts = (
        *(_parts(name) if name else ("", "", "")),
        *(map(normal.reading, _parts(spoken)) if spoken else ("", "", "")),
        born.isoformat() if born else "",
        *(where or ("", "", "", "", "")),
        postcode or "",
    )
    kept = (intern(_SEPARATORS.sub("", text or "")) for text in texts)
    return Features._make((*kept, _identifiers(person.identifiers)))


def _parts(name: normal.Name) -> tuple[str, str, str]:
    split = bool(name.family and name.given)
    return (name.family, name.given, "") if split else ("", "", name.whole)


def _identifiers(given: Iterable[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    return tuple(sorted({(intern(kind), value[:_VALUE_BYTES]) for kind, value in given}))


def _identifier(part: str) -> tuple[str, bytes]:
    kind, _, value = part.partition(_WITHIN)
    try:
        return intern(kind), bytes.fromhex(value)
    except ValueError:
        raise ValueError("features.identifiers: hold a value that is not hexadecimal") from None
