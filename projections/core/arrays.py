"""Encodes a column of many rows as a binary Postgres array, to be sent as one statement parameter.

Every element type has its own subclass of bytes, by which the driver knows the array's type.
Postgres arrays must be rectangular, so a column of lists of different lengths is sent as an array
of text literals.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

from projections.core.columns import span_text
from projections.core.row_copy import NULL, encoder
from schemas.wire.compiled_codec import native

_row_copy = native("projections.core._row_copy")

_head = struct.Struct(">iiIii").pack
_EMPTY = struct.Struct(">iiI").pack
_UUID_SIZE = b"\0\0\0\x10"


class Array(bytes):
    """Values of a column, encoded as a binary Postgres array."""

    oid: ClassVar[int]
    of: ClassVar[int]


class UuidArray(Array):
    oid, of = 2951, 2950


class BigintArray(Array):
    oid, of = 1016, 20


class IntArray(Array):
    oid, of = 1007, 23


class SmallintArray(Array):
    oid, of = 1005, 21


class DoubleArray(Array):
    oid, of = 1022, 701


class BooleanArray(Array):
    oid, of = 1000, 16


class TextArray(Array):
    oid, of = 1009, 25


class ByteaArray(Array):
    oid, of = 1001, 17


ARRAYS: dict[str, type[Array]] = {
    "uuid": UuidArray,
    "bigint": BigintArray,
    "int": IntArray,
    "smallint": SmallintArray,
    "double precision": DoubleArray,
    "boolean": BooleanArray,
    "text": TextArray,
    "bytea": ByteaArray,
}


def plain_array(type: str, values: Iterable[Any]) -> bytes:
    """Encodes values as a binary Postgres array; used where the C code (`_row_copy`) is missing."""
    held = values if isinstance(values, list | tuple) else list(values)
    if not held:
        return _EMPTY(0, 0, ARRAYS[type].of)
    nulls = None in held
    head = _head(1, nulls, ARRAYS[type].of, len(held), 1)
    if type == "uuid":
        # `struct` would cut or pad them without an error
        if {len(value) for value in held if value is not None} - {16}:
            raise ValueError("a uuid has 16 bytes")
        if not nulls:
            return head + _UUID_SIZE + _UUID_SIZE.join(held)
    one = encoder(type)
    return head + b"".join([NULL if value is None else one(value) for value in held])


_packed: Callable[[str, Iterable[Any]], bytes] = _row_copy.array if _row_copy else plain_array


def array(type: str, values: Iterable[Any]) -> Array:
    """Encodes values of a column of this type as a statement parameter; `json`: texts of JSON."""
    if type == "json":
        type = "text"
    if type in ARRAYS:
        return ARRAYS[type](_packed(type, values))
    say = _LITERALS[type]
    return TextArray(_packed("text", [None if value is None else say(value) for value in values]))


def _literal(say: Callable[[Any], str], values: Sequence[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else say(value) for value in values]) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_LITERALS: dict[str, Callable[[Any], str]] = {
    "uuid[]": partial(_literal, bytes.hex),
    "bigint[]": partial(_literal, str),
    "int[]": partial(_literal, str),
    "text[]": partial(_literal, _quoted),
    "int8multirange": span_text,
}
