"""Encodes rows for COPY in binary format, by a function that is generated for the columns' types.

Adjacent columns of fixed width, with their length prefixes, are encoded by one `struct`. If a batch
contains a null, it is encoded value by value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from schemas.wire.compiled_codec import native

_row_copy = native("projections.core._row_copy")

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
_length = struct.Struct(">i").pack
_FIXED = {
    "uuid": (16, "16s"),
    "bigint": (8, "q"),
    "int": (4, "i"),
    "smallint": (2, "h"),
    "double precision": (8, "d"),
}
_TRUTH = {True: b"\0\0\0\1\1", False: b"\0\0\0\1\0"}
_OIDS = {"text": 25, "uuid": 2950, "bigint": 20, "int": 23}
_EMPTY_ARRAY = struct.Struct(">iiiI").pack
# errors of the fast encoding for a null, and for a value that does not fit its column
_MISFITS = (struct.error, TypeError, AttributeError, KeyError)
Rows = Iterable[tuple[Any, ...]]


def copy_encoder(types: list[str]) -> Callable[[Rows], bytes]:
    """A function that encodes rows to the body of a COPY ... (FORMAT BINARY)."""
    if _row_copy is None:
        return plain_encoder(types)
    built: Callable[[Rows], bytes] = _row_copy.copier(types)
    return built


def plain_encoder(types: list[str]) -> Callable[[Rows], bytes]:
    """As `copy_encoder`, in Python; used where the C code (`_row_copy`) is missing."""
    quick, encoders = _written(types), [encoder(type) for type in types]
    count = struct.pack(">h", len(types))

    def encode(rows: Rows) -> bytes:
        held = list(rows)
        try:
            return b"".join((_HEADER, *quick(held), _TRAILER))
        except _MISFITS:
            parts = [_HEADER]
            for row in held:
                parts.append(count)
                for one, value in zip(encoders, row, strict=True):
                    parts.append(NULL if value is None else one(value))
            return b"".join((*parts, _TRAILER))

    return encode


def _written(types: list[str]) -> Callable[[list[tuple[Any, ...]]], list[bytes]]:
    """Generates a function that encodes rows without nulls to a list of bytes."""
    names = [f"v{at}" for at in range(len(types))]
    layout, given = "h", [str(len(types))]
    before: list[str] = []
    pieces: list[str] = []
    scope: dict[str, Any] = {}

    def close() -> None:
        nonlocal layout, given
        if layout:
            scope[f"pack{len(pieces)}"] = struct.Struct(f">{layout}").pack
            pieces.append(f"pack{len(pieces)}({', '.join(given)})")
        layout, given = "", []

    for name, type in zip(names, types, strict=True):
        if type in _FIXED:
            size, code = _FIXED[type]
            layout, given = f"{layout}i{code}", [*given, str(size), name]
        elif type in ("text", "bytea"):
            if type == "text":
                before.append(f"{name} = {name}.encode()")
            layout, given = f"{layout}i", [*given, f"len({name})"]
            close()
            pieces.append(name)
        elif type == "boolean":
            close()
            scope["truth"] = _TRUTH
            pieces.append(f"truth[{name}]")
        else:
            close()
            scope[f"array{len(pieces)}"] = _array(type[:-2])
            pieces.append(f"array{len(pieces)}(tuple({name}))")
    close()
    steps = "".join(f"        {line}\n" for line in before)
    source = (
        f"def pieces(rows):\n    made = []\n    add = made.extend\n"
        f"    for {', '.join(names)}, in rows:\n{steps}        add(({', '.join(pieces)},))\n"
        "    return made\n"
    )
    exec(source, scope)  # noqa: S102 - the text is built from column types alone
    written: Callable[[list[tuple[Any, ...]]], list[bytes]] = scope["pieces"]
    return written


def encoder(type: str) -> Callable[[Any], bytes]:
    """A function that encodes a value of this type, not None: length prefix, then bytes."""
    if type in _FIXED:
        size, code = _FIXED[type]
        pack = struct.Struct(f">i{code}").pack
        return lambda value: pack(size, value)
    if type == "text":
        return lambda value: _sized(value.encode())
    if type == "boolean":
        return lambda value: _TRUTH[value]
    if type == "bytea":
        return _sized
    array = _array(type[:-2])
    return lambda values: array(tuple(values))


def _sized(data: bytes) -> bytes:
    return _length(len(data)) + data


def _array(type: str) -> Callable[[tuple[Any, ...]], bytes]:
    oid = _OIDS[type]
    if type == "text":
        return lambda values: _sized_items(oid, [value.encode() for value in values])
    size, code = _FIXED[type]

    @lru_cache(4096)
    def array(values: tuple[Any, ...]) -> bytes:
        """Encodes an array; cached, since the same arrays recur (line numbers 1, 2, …)."""
        pack = _numbers(len(values), code)
        items = [part for value in values for part in (size, value)]
        return pack(20 + (4 + size) * len(values), 1, 0, oid, len(values), 1, *items)

    return lambda values: array(values) if values else _empty(oid)


@lru_cache(1024)
def _numbers(count: int, code: str) -> Callable[..., bytes]:
    return struct.Struct(">iiiIii" + f"i{code}" * count).pack


def _sized_items(oid: int, items: list[bytes]) -> bytes:
    if not items:
        return _empty(oid)
    lengths = tuple(map(len, items))
    given = [part for pair in zip(lengths, items, strict=True) for part in pair]
    return _texts(lengths)(20 + 4 * len(items) + sum(lengths), 1, 0, oid, len(items), 1, *given)


@lru_cache(4096)
def _texts(lengths: tuple[int, ...]) -> Callable[..., bytes]:
    return struct.Struct(">iiiIii" + "".join(f"i{size}s" for size in lengths)).pack


def _empty(oid: int) -> bytes:
    return _EMPTY_ARRAY(12, 0, 0, oid)
