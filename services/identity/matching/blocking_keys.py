"""Blocking: only profiles that share one of these keys are compared.

Each key is rare by itself, so that few strangers share it. Two profiles of one person share no key
only if all identifiers, the name and the place differ or are unknown, and also the date of birth or
all initials of the names; or if the keys that they share are too common to be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import xxhash

from services.identity.matching.features import Features

Maker = Callable[[Features], Iterator[str]]


def identifiers(one: Features) -> Iterator[str]:
    """The identifiers (phone number, mail address, device …)."""
    for kind, value in one.identifiers:
        yield f"{kind}\x1f{value.hex()}"


def birth_and_name(one: Features) -> Iterator[str]:
    """The date of birth with an initial of the family or given name."""
    if one.birth_date:
        for first in _initials(one):
            yield f"{one.birth_date}\x1f{first}"


def whole_name(one: Features) -> Iterator[str]:
    """All letters of the name, sorted, so that swapped family and given names match."""
    if one.family or one.whole:
        yield "".join(sorted(one.whole or one.family + one.given))
    if one.family_reading or one.whole_reading:
        yield "".join(sorted(one.whole_reading or one.family_reading + one.given_reading))


def place(one: Features) -> Iterator[str]:
    """The postcode with the block number of the address."""
    if one.postcode and one.block:
        yield f"{one.postcode}\x1f{one.block}"


def street(one: Features) -> Iterator[str]:
    """The town with the block number of the address."""
    if one.town and one.block:
        yield f"{one.town}\x1f{one.block}"


def postcode_and_name(one: Features) -> Iterator[str]:
    """The postcode with the family or given name."""
    if one.postcode:
        for name in {*one[:6]} - {""}:
            yield f"{one.postcode}\x1f{name}"


def birth_and_postcode(one: Features) -> Iterator[str]:
    """The postcode with the date of birth."""
    if one.birth_date and one.postcode:
        yield f"{one.birth_date}\x1f{one.postcode}"


_MAKERS: dict[str, Maker] = {
    "identifier": identifiers,
    "birth_and_name": birth_and_name,
    "whole_name": whole_name,
    "place": place,
    "street": street,
    "postcode_and_name": postcode_and_name,
    "birth_and_postcode": birth_and_postcode,
}
NAMES = tuple(_MAKERS)


def keys_of(salt: int, names: Sequence[str]) -> Callable[[Features], set[int]]:
    """Returns a function: features to the 64-bit keyed hashes of their blocking keys in `names`."""
    makers = [(f"{NAMES.index(name)}\x1f", _MAKERS[name]) for name in names]
    digest = xxhash.xxh3_64_intdigest

    def keys(one: Features) -> set[int]:
        return {
            digest((head + text).encode(), salt) for head, maker in makers for text in maker(one)
        }

    return keys


def _initials(one: Features) -> set[str]:
    return {text[0] for text in one[:6] if text}
