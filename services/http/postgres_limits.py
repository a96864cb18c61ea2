"""What of a request can Postgres not hold? Said by field, before it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.http.problem_type import FieldError

_LONGEST = 1 << 63


def unstorable(pointer: str, value: Any) -> Iterator[FieldError]:
    """Texts with U+0000 and numbers beyond 64 bits, wherever they stand below `pointer`."""
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
    """A name as a step of a JSON pointer; long ones are cut."""
    return name[:64].replace("~", "~0").replace("/", "~1")


def _texts(values: Sequence[Any]) -> bool:
    """Whether these are texts alone and all can be stored: lists of ids may be long."""
    return all(type(one) is str for one in values) and "\0" not in "".join(values)


def printable(value: str) -> str:
    """The value, if it holds printable characters only; raises `ValueError`."""
    if not value.isprintable():
        raise ValueError("must hold printable characters only")
    return value
