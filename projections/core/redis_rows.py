"""Encodes rows for Redis, as the JSON text that Postgres would produce.

A row becomes three MessagePack texts, which a Lua script decodes in Redis: hash key, field, and
`version|JSON`. Rows of ledgers and new sets of documents are encoded here and not read back from
Postgres, because no merge changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from json import dumps
from json.encoder import encode_basestring
from typing import Any, NamedTuple
from uuid import UUID

from projections.core.columns import Stored
from projections.core.documents import DocumentSet
from projections.core.tables import Ledger, StoredTable
from schemas.wire.compiled_codec import native

_redis_rows = native("projections.core._redis_rows")

ROWS_PER_CHUNK = 500  # per call of the script, during which Redis serves nobody else
ViewRow = tuple[str, str, int, str]  # hash key's value, field, row version, payload
Chunks = list[tuple[int, bytes]]  # (number of rows, their encoded texts)


class First(NamedTuple):
    """New rows, encoded. `keys`: JSON array of the values of the view's key column."""

    chunks: Chunks
    keys: bytes


def hash_key(table: StoredTable, version: int, by: str) -> str:
    """The Redis key of a hash of a view. `by`: the values of the view's key columns as text."""
    return f"h1:{table.name}:{version}:{by}"


def uuid_text(value: bytes) -> str:
    """The text of an id (16 bytes), as Postgres formats it."""
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def shown(type: str, value: Any) -> Any:
    """The JSON value that Postgres makes of a value of this type."""
    if value is None:
        return None
    if type == "uuid":
        return str(UUID(bytes=bytes(value)))
    if type == "uuid[]":
        return [str(UUID(bytes=one)) for one in value]
    return "\\x" + bytes(value).hex() if type == "bytea" else value


_WRITTEN = {
    "uuid": "'\"' + uuid_text({v}) + '\"'",
    "bigint": "{v}",
    "int": "{v}",
    "smallint": "{v}",
    "text": "quoted({v})",
    "json": "{v}",
    "int[]": "{v}",
    "bigint[]": "{v}",
    "text[]": "'[' + ', '.join(map(quoted, {v})) + ']'",
}


def view_writer(
    table: Ledger | DocumentSet, prefix: str
) -> Callable[[Iterable[tuple[Any, ...]]], First]:
    """A function, generated for the columns' types, that encodes new rows for Redis.

    `prefix`: of the Redis keys. The first column is an id; the key of a ledger's row has a number
    as well. A set's key must be a single id.
    """
    assert table.view is not None
    if _redis_rows is None:
        return plain_writer(table, prefix)
    names, types = zip(*[(part.name, _type(part)) for part in table.stored], strict=True)
    by, numbered = names.index(table.view.by[0]), isinstance(table, Ledger)
    view = _redis_rows.viewer(types, by, _other, prefix, numbered)
    return lambda rows: First(*view(rows))


def _type(part: Stored) -> str:
    return "json" if part.json else part.type


def told(prefix: str, rows: Iterable[ViewRow]) -> tuple[Chunks, Chunks]:
    """Encodes rows that Postgres returned: (rows of version 1, rows of later versions)."""
    made: tuple[Chunks, Chunks] = (plain_told if _redis_rows is None else _redis_rows.told)(
        prefix, rows
    )
    return made


def plain_told(prefix: str, rows: Iterable[ViewRow]) -> tuple[Chunks, Chunks]:
    """As `told`, in Python; used where the C code (`_redis_rows`) is missing."""
    first: list[bytes] = []
    newer: list[bytes] = []
    for by, field, version, payload in rows:
        texts = (prefix + by, field, f"{version}|{payload}")
        (first if version == 1 else newer).append(b"".join(map(_packed, texts)))
    return _chunks(first), _chunks(newer)


def _packed(text: str) -> bytes:
    data = text.encode()
    return b"\xdb" + len(data).to_bytes(4) + data


def _chunks(rows: list[bytes]) -> Chunks:
    some = [rows[at : at + ROWS_PER_CHUNK] for at in range(0, len(rows), ROWS_PER_CHUNK)]
    return [(len(one), b"".join(one)) for one in some]


def plain_writer(
    table: Ledger | DocumentSet, prefix: str
) -> Callable[[Iterable[tuple[Any, ...]]], First]:
    """As `view_writer`, in Python; used where the C code (`_redis_rows`) is missing."""
    rows_of = _rows_writer(table)

    def write(rows: Iterable[tuple[Any, ...]]) -> First:
        made = rows_of(rows)
        keys = dumps([row[0] for row in made], ensure_ascii=False).encode()
        return First(plain_told(prefix, made)[0], keys)

    return write


def _rows_writer(
    table: Ledger | DocumentSet,
) -> Callable[[Iterable[tuple[Any, ...]]], list[ViewRow]]:
    assert table.view is not None
    names, steps = [], []
    for at, part in enumerate(table.stored):
        type = _type(part)
        one = _WRITTEN.get(type, f"other({type!r}, {{v}})").format(v=f"v{at}")
        steps.append(f"x{at} = 'null' if v{at} is None else {one}")
        names.append(part.name)
    given = ", ".join(f"v{at}" for at in range(len(names)))
    texts = ", ".join(f"{{x{at}}}" for at in range(len(names)))
    by = names.index(table.view.by[0])
    text = f"x{by}.strip('\"')" if table.stored[by].type == "uuid" else f"str(v{by})"
    field = "" if by == 0 else "{x0[1:-1]}"
    if isinstance(table, Ledger):
        field = "{v1}" if by == 0 else "{x0[1:-1]}|{v1}"
    lines = [*steps, f"add(({text}, f'{field}', 1, f'[{texts}]'))"]
    source = (
        f"def write(rows):\n    found = []\n    add = found.append\n    for {given} in rows:\n"
        + "".join(f"        {line}\n" for line in lines)
        + "    return found\n"
    )
    scope: dict[str, Any] = {"quoted": encode_basestring, "uuid_text": uuid_text, "other": _other}
    exec(source, scope)  # noqa: S102 - the text is built from column types alone
    written: Callable[[Iterable[tuple[Any, ...]]], list[ViewRow]] = scope["write"]
    return written


def _other(type: str, value: Any) -> str:
    if type == "json":
        return str(value)
    return dumps(shown(type, value), ensure_ascii=False)
