"""Finds values of a request that Postgres cannot store, by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.http.problem_type import FieldError

_LONGEST = 1 << 63


def unstorable(pointer: str, value: Any) -> Iterator[FieldError]:
    """Yields errors for texts with U+0000 and integers beyond 64 bits, at any depth of `value`.

    `pointer`: the JSON pointer of `value`.
    """
    if isinstance(value, str):
        if "\0" in value:
            yield {"pointer": pointer, "reason": "must not hold U+0000"}
    elif isinstance(value, int):
        if not -_LONGEST <= value < _LONGEST:
            yield {"pointer": pointer, "reason": "must fit in 64 bits"}
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from unstorable(f"{pointer}/{step(str(name))}", one)
    elif isinstance(value, list | tuple) and not _texts(value):
        for number, one in enumerate(value):
            yield from unstorable(f"{pointer}/{number}", one)


def step(name: str) -> str:
    """A name as a segment of a JSON pointer, at most 64 characters of it."""
    return name[:64].replace("~", "~0").replace("/", "~1")


def _texts(values: Sequence[Any]) -> bool:
    """Whether all values are texts that can be stored: a fast path for long lists of ids."""
    return all(type(one) is str for one in values) and "\0" not in "".join(values)


def printable(value: str) -> str:
    """Returns the value; raises `ValueError` if it has characters that are not printable."""
    if not value.isprintable():
        raise ValueError("must have printable characters only")
    return value
