"""Decodes the JSON payload of a row, which is the same in Postgres and Redis."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from projections.core.sql import visible
from projections.core.tables import StoredTable


def state_of(table: StoredTable, payload: str) -> dict[str, Any]:
    """The row by column name, in the types that events use: ids and bytea as bytes."""
    return {
        part.name: _bytes(part.type, value)
        for part, value in zip(visible(table), json.loads(payload), strict=True)
    }


def _bytes(type: str, value: Any) -> Any:
    if value is None:
        return None
    if type == "uuid":
        return UUID(value).bytes
    if type == "uuid[]":
        return [UUID(one).bytes for one in value]
    if type == "bytea":
        return bytes.fromhex(value[2:])
    return value
