"""What does a stored row say to a query? Plain values, the same from Redis and from Postgres."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from projections.core.sql import payload, quoted, visible
from projections.core.tables import Kept


def parsed(table: Kept, payloads: Iterable[str]) -> list[dict[str, Any]]:
    """Rows from their payloads, in key order."""
    columns = [(part.name, _READERS.get(part.type)) for part in visible(table)]
    rows = [
        {
            name: value if value is None or read is None else read(value)
            for (name, read), value in zip(columns, json.loads(text), strict=True)
        }
        for text in payloads
    ]
    return sorted(rows, key=lambda row: tuple(row[name] for name in table.keys))


def held(hashes: Iterable[Mapping[str, str]]) -> list[str]:
    """The payloads in Redis; an empty one says that the row is gone."""
    values = (value.partition("|")[2] for fields in hashes for value in fields.values())
    return [value for value in values if value]


def selection(table: Kept, names: Iterable[str]) -> str:
    """Reads from Postgres the payloads that Redis would hold."""
    types = {part.name: part.type for part in table.stored}
    where = " and ".join(f"t.{quoted(name)} = any(%({name})s::{types[name]}[])" for name in names)
    return f"select {payload(table)} as payload from {quoted(table.name)} t where {where or 'true'}"


def plain(value: Any) -> Any:
    """A value of a SELECT as queries know it."""
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
