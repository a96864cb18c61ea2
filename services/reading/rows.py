"""Decodes stored rows for queries, into the same Python values from Redis and from Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from pydantic_core import from_json

from projections.core.sql import payload, quoted, visible
from projections.core.tables import StoredTable

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RowShape:
    """How to decode and sort the rows of a table.

    `read`: makes dicts from lists of values and row versions. `order`: the sort key of a row.
    """

    read: Callable[[Iterable[Sequence[Any]], Iterable[int]], Rows]
    order: Callable[[dict[str, Any]], Any]


@cache
def shape(table: StoredTable) -> RowShape:
    """The table's `RowShape`, computed once."""
    return RowShape(_compiled(table), itemgetter(*table.keys))


def parsed(table: StoredTable, payloads: Iterable[str], versions: Iterable[int] = ()) -> Rows:
    """Decodes JSON payloads to rows, sorted by key.

    `versions`: the row versions, for tables whose queries get them.
    """
    made = shape(table)
    stored = from_json(f"[{','.join(payloads)}]", cache_strings="none")
    try:
        rows = made.read(stored, versions)
    except ValueError:
        width = len(visible(table))
        if not table.later or any(len(one) < width - len(table.later) for one in stored):
            raise
        # rows of before the table had its later columns, until Redis is filled again
        padded = [[*values, *[None] * (width - len(values))] for values in stored]
        rows = made.read(padded, versions)
    if len(rows) > 1:
        rows.sort(key=made.order)
    return rows


def from_view(table: StoredTable, values: Iterable[str]) -> Rows:
    """Decodes hash values of Redis (`version|payload`); skips deleted rows (empty payload)."""
    parts = [value.partition("|") for value in values]
    payloads = [payload for _, _, payload in parts if payload]
    if not table.versioned:
        return parsed(table, payloads)
    return parsed(table, payloads, [int(version) for version, _, payload in parts if payload])


def _compiled(table: StoredTable) -> Callable[[Iterable[Sequence[Any]], Iterable[int]], Rows]:
    """Generates the function `RowShape.read` for the table's columns; a loop would be slower."""
    known: dict[str, Any] = {}
    values, entries = [], []
    for number, part in enumerate(visible(table)):
        value = f"value{number}"
        values.append(value)
        if part.type in _READERS:
            known[f"read{number}"] = _READERS[part.type]
            value = f"None if {value} is None else read{number}({value})"
        entries.append(f"{part.name!r}: {value}")
    row, source = f"({', '.join(values)},)", "rows"
    if table.versioned:
        entries.append("'row_version': version")
        row, source = f"{row}, version", "zip(rows, versions, strict=True)"
    text = f"lambda rows, versions: [{{{', '.join(entries)}}} for {row} in {source}]"
    made: Callable[[Iterable[Sequence[Any]], Iterable[int]], Rows] = eval(text, known)
    return made


def selection(table: StoredTable, names: Iterable[str]) -> str:
    """The SELECT of rows by the columns `names`, as the JSON payloads that Redis would have."""
    types = {part.name: part.type for part in table.stored}
    where = " and ".join(f"t.{quoted(name)} = any(%({name})s::{types[name]}[])" for name in names)
    version = ", t.row_version" if table.versioned else ""
    return (
        f"select {payload(table)} as payload{version} from {quoted(table.name)} t"
        f" where {where or 'true'}"
    )


def plain(value: Any) -> Any:
    """A value from psycopg as queries get it: decimals as numbers, binary data as bytes, ranges as
    texts, any other value unchanged.
    """
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, Range | Multirange):
        return str(value)
    return value


def _uuids(values: list[str | None]) -> list[UUID | None]:
    return [None if value is None else UUID(value) for value in values]


_READERS: dict[str, Any] = {
    "uuid": UUID,
    "uuid[]": _uuids,
    "bytea": lambda text: bytes.fromhex(text[2:]),
}
