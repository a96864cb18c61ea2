"""Decodes stored rows for queries: plain values, the same from Redis and from Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from projections.core.sql import payload, quoted, visible
from projections.core.tables import StoredTable


@dataclass(frozen=True, slots=True)
class RowShape:
    """What is the same for all rows of a table."""

    names: tuple[str, ...]
    readers: tuple[tuple[str, Callable[[Any], Any]], ...]
    order: Callable[[dict[str, Any]], Any]


@cache
def shape(table: StoredTable) -> RowShape:
    """The table's shape, computed once."""
    parts = visible(table)
    readers = [(part.name, _READERS[part.type]) for part in parts if part.type in _READERS]
    return RowShape(tuple(part.name for part in parts), tuple(readers), itemgetter(*table.keys))


def parsed(
    table: StoredTable, payloads: Iterable[str], versions: Iterable[int] = ()
) -> list[dict[str, Any]]:
    """Decodes payloads, in key order; with row versions when these are passed."""
    made = shape(table)
    rows = [
        dict(zip(made.names, values, strict=True))
        for values in json.loads(f"[{','.join(payloads)}]")
    ]
    if table.versioned:
        for row, version in zip(rows, versions, strict=True):
            row["row_version"] = version
    for name, read in made.readers:
        for row in rows:
            if row[name] is not None:
                row[name] = read(row[name])
    if len(rows) > 1:
        rows.sort(key=made.order)
    return rows


def from_view(table: StoredTable, values: Iterable[str]) -> list[dict[str, Any]]:
    """Decodes rows from Redis: version, `|`, payload; an empty payload means a deleted row."""
    parts = [value.partition("|") for value in values]
    payloads = [payload for _, _, payload in parts if payload]
    if not table.versioned:
        return parsed(table, payloads)
    return parsed(table, payloads, [int(version) for version, _, payload in parts if payload])


def selection(table: StoredTable, names: Iterable[str]) -> str:
    """A SELECT that returns the payloads that Redis would hold."""
    types = {part.name: part.type for part in table.stored}
    where = " and ".join(f"t.{quoted(name)} = any(%({name})s::{types[name]}[])" for name in names)
    version = ", t.row_version" if table.versioned else ""
    return (
        f"select {payload(table)} as payload{version} from {quoted(table.name)} t"
        f" where {where or 'true'}"
    )


def plain(value: Any) -> Any:
    """A value of a SELECT as queries receive it."""
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
