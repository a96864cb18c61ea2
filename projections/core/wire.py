"""How do folded rows travel to Postgres? Array literals for merges, COPY BINARY for ledgers.

Both are several times cheaper than handing lists to the driver, which is where a batch's client
time would go.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from projections.core.columns import span_text
from projections.core.tables import Kept

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_int8 = struct.Struct(">iq").pack
_int4 = struct.Struct(">ii").pack
_int2 = struct.Struct(">ih").pack
_double = struct.Struct(">id").pack
_length = struct.Struct(">i").pack
_array = struct.Struct(">iiIii").pack


def quote(text: str) -> str:
    """An element of an array literal."""
    if text.isalnum() and text.isascii() and text.upper() != "NULL":
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _boolean(value: bool) -> str:
    return "t" if value else "f"


def _bytes(value: bytes) -> str:
    return '"\\\\x' + value.hex() + '"'


_SCALARS: dict[str, Callable[[Any], str]] = {
    "uuid": bytes.hex,
    "bigint": str,
    "int": str,
    "smallint": str,
    "double precision": repr,
    "boolean": _boolean,
    "text": quote,
    "bytea": _bytes,
    "int8multirange": lambda numbers: quote(span_text(numbers)),
}


def literal(type: str, values: Iterable[Any]) -> str:
    """Values of one column as an array literal."""
    if type.endswith("[]"):
        inner = type[:-2]
        return (
            "{" + ",".join("NULL" if v is None else quote(literal(inner, v)) for v in values) + "}"
        )
    one = _SCALARS[type]
    return "{" + ",".join(["NULL" if value is None else one(value) for value in values]) + "}"


def _text(value: str) -> bytes:
    data = value.encode()
    return _length(len(data)) + data


_BINARY: dict[str, Callable[[Any], bytes]] = {
    "uuid": lambda value: b"\0\0\0\x10" + value,
    "bigint": lambda value: _int8(8, value),
    "int": lambda value: _int4(4, value),
    "smallint": lambda value: _int2(2, value),
    "double precision": lambda value: _double(8, value),
    "boolean": lambda value: b"\0\0\0\1\1" if value else b"\0\0\0\1\0",
    "text": _text,
    "bytea": lambda value: _length(len(value)) + value,
}
_OIDS = {"text": 25, "uuid": 2950, "bigint": 20, "int": 23}


def _binary(type: str) -> Callable[[Any], bytes]:
    if not type.endswith("[]"):
        return _BINARY[type]
    inner, oid = _BINARY[type[:-2]], _OIDS[type[:-2]]

    def array(values: Iterable[Any]) -> bytes:
        items = [inner(value) for value in values]
        body = (
            _array(1, 0, oid, len(items), 1) + b"".join(items)
            if items
            else struct.pack(">iiI", 0, 0, oid)
        )
        return _length(len(body)) + body

    return array


def copy_encoder(types: list[str]) -> Callable[[Iterable[tuple[Any, ...]]], bytes]:
    """A function from rows to the whole body of a COPY ... (FORMAT BINARY)."""
    encoders = [_binary(type) for type in types]
    count = struct.pack(">h", len(types))

    def encode(rows: Iterable[tuple[Any, ...]]) -> bytes:
        parts = [_HEADER]
        for row in rows:
            parts.append(count)
            parts += [_NULL if v is None else one(v) for one, v in zip(encoders, row, strict=True)]
        parts.append(_TRAILER)
        return b"".join(parts)

    return encode


def columns(table: Kept, rows: dict[tuple[Any, ...], list[Any]]) -> list[str]:
    """Folded rows as an array literal a column, sorted by key: writers lock in one order."""
    ordered = sorted(rows)
    sent = [
        literal(table.columns[name].type, [key[i] for key in ordered])
        for i, name in enumerate(table.keys)
    ]
    values = [rows[key] for key in ordered]
    for index, name in enumerate(table.values):
        column = table.columns[name]
        own = [value[index] for value in values]
        if column.kind != "level":
            sent.append(literal(column.type, own))
            continue
        # a reading's row starts as its changes alone; the recount that follows puts it right
        for part in range(4):
            sent.append(literal("bigint", [one[part] for one in own]))
    return sent


def key_columns(table: Kept, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Keys as one array literal a key column."""
    listed = list(keys)
    return [
        literal(table.columns[name].type, [key[i] for key in listed])
        for i, name in enumerate(table.keys)
    ]


def shown(type: str, value: Any) -> Any:
    """A value as Postgres' JSON shows it."""
    if value is None:
        return None
    if type == "uuid":
        return str(UUID(bytes=value))
    if type == "uuid[]":
        return [str(UUID(bytes=one)) for one in value]
    return "\\x" + value.hex() if type == "bytea" else value
