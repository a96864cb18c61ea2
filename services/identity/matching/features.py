"""The features of a profile that are compared, and their packed form for storage.

`features` normalises a person's texts once; `packed` stores the result in some hundred bytes, so
that a restart unpacks it, which is a hundred times faster than normalising again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from sys import intern
from typing import NamedTuple

from schemas import normal

FORMAT = "2"
"""Format number in every packed form; increase it when fields or normal forms change.

The matcher then reads the log again with an empty index. Until it has read everybody, the search
for duplicates answers 503, and links with profiles that it has not read yet may end: an event when
a link ends, and another when it is made again.
"""

_BETWEEN, _WITHIN = "\x1f", "\x1e"
_SEPARATORS = re.compile("[\x1e\x1f]")
_KANA = re.compile("[ァ-ヺーぁ-ゖ]+")
_LATIN = re.compile("[a-z]+")
_VALUE_BYTES = 8


class Person(NamedTuple):
    """A profile's data in clear, except identifiers: (kind, blind index of the value)."""

    name: str | None = None
    name_kana: str | None = None
    postcode: str | None = None
    address: str | None = None
    birth_date: str | None = None
    identifiers: tuple[tuple[str, bytes], ...] = ()


class Features(NamedTuple):
    """Normal forms of a profile's data; unknown ones are "". A name that cannot be split is
    `whole`.

    The reading comes from the kana, or from a name written in kana or Latin letters; it is in Latin
    letters without length marks (`schemas.normal.readings`).
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
        """A compact encoding; `unpacked` restores the same features."""
        parts = [FORMAT, *self[:-1]]
        parts += [f"{kind}{_WITHIN}{value.hex()}" for kind, value in self.identifiers]
        return _BETWEEN.join(parts).encode()

    @staticmethod
    def unpacked(packed: bytes) -> Features:
        """Restores features; ValueError when the bytes are invalid or of another format."""
        try:
            parts = packed.decode().split(_BETWEEN)
        except UnicodeDecodeError:
            raise ValueError("features: the packed bytes are not UTF-8") from None
        if parts[0] != FORMAT:
            raise ValueError(f"features: packed in format {parts[0][:10]!r}, not {FORMAT}")
        if len(parts) < _TEXTS + 1:
            raise ValueError(f"features: have {len(parts) - 1} fields, fewer than {_TEXTS}")
        # Many profiles share names, places and dates: interning them halves the memory.
        texts = map(intern, parts[1 : _TEXTS + 1])
        return Features._make((*texts, tuple(map(_identifier, parts[_TEXTS + 1 :]))))


_TEXTS = len(Features._fields) - 1


def features(person: Person) -> Features:
    """The normal forms of a profile's data. Never raises; a text without normal form gives ""."""
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
