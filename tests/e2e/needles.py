"""In which spellings and encodings could a person's data lie around?"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from ahocorasick_rs import BytesAhoCorasick

SHORTEST = 6
"""Shorter texts are found everywhere by chance."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One needle in one place."""

    where: str
    needle: str
    encoding: str


def phone_spellings(e164: str) -> set[str]:
    """+819012345678 as tills, forms and links write it."""
    bare = e164.removeprefix("+")
    if not bare.startswith("81"):
        return {e164, bare}
    national = "0" + bare[2:]
    split = 3 if len(national) == 11 else 2
    parts = (national[:split], national[split:-4], national[-4:])
    return {e164, bare, national, "-".join(parts), " ".join(parts)}


def name_spellings(first: str, last: str) -> set[str]:
    pairs = ((first, last), (last, first))
    return {space.join(pair) for pair in pairs for space in ("", " ", "\u3000")}


def email_spellings(address: str) -> set[str]:
    return {address, address.lower()}


class Finder:
    """Looks for all needles in all encodings at once."""

    def __init__(self, needles: Iterable[str]) -> None:
        self._known: dict[bytes, tuple[str, str]] = {}
        for needle in needles:
            if len(needle.encode()) >= SHORTEST:
                for encoding, pattern in _encoded(needle):
                    self._known.setdefault(pattern, (needle, encoding))
        self._patterns = list(self._known)
        self._automaton = BytesAhoCorasick(self._patterns)
        self.longest = max(map(len, self._patterns), default=0)

    def find(self, where: str, data: bytes) -> set[Finding]:
        found = self._automaton.find_matches_as_indexes(data, overlapping=True)
        return {Finding(where, *self._known[self._patterns[index]]) for index, _, _ in found}

    def find_in_all(self, blobs: Iterable[tuple[str, bytes]]) -> Iterator[Finding]:
        """Searches many small blobs in few calls; only a hit is looked at one by one."""
        waiting: list[tuple[str, bytes]] = []
        size = 0
        for blob in blobs:
            waiting.append(blob)
            size += len(blob[1])
            if size > 4_000_000:
                yield from self._find_in(waiting)
                waiting, size = [], 0
        yield from self._find_in(waiting)

    def _find_in(self, blobs: list[tuple[str, bytes]]) -> Iterator[Finding]:
        if self.find("", b"\n".join(data for _, data in blobs)):
            for where, data in blobs:
                yield from self.find(where, data)


def _encoded(needle: str) -> Iterator[tuple[str, bytes]]:
    text = needle.encode()
    yield "utf-8", text
    yield "utf-16", needle.encode("utf-16-le")
    yield "json", json.dumps(needle)[1:-1].encode()
    yield "url", quote(needle, safe="").encode()
    with suppress(UnicodeEncodeError):  # a character that Shift_JIS has not
        yield "cp932", needle.encode("cp932")
    for form in (text, needle.encode("utf-16-le")):
        yield "hex", form.hex().encode()
        yield "hex", form.hex().upper().encode()
        for shift in range(3):
            yield "base64", _inner_base64(form, shift)
            yield "base64", _inner_base64(form, shift).translate(_URL_SAFE)


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _inner_base64(text: bytes, shift: int) -> bytes:
    """The characters that depend on the text alone when it begins `shift` bytes into a triple."""
    whole = (shift + len(text)) // 3 * 3 - shift
    encoded = base64.b64encode(b"\0" * shift + text[:whole])
    return encoded[(0, 2, 3)[shift] :]
