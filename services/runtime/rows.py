"""Runs queries with psycopg and returns rows as dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncCursor
from psycopg.rows import dict_row

from services.runtime.db import Connection


async def rows_of(
    connection: Connection, statement: str, values: Sequence[Any] | Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Runs the statement; returns all rows as dicts by column name."""
    return await (await send_query(connection, statement, values)).fetchall()


async def send_query(
    connection: Connection, statement: str, values: Sequence[Any] | Mapping[str, Any]
) -> AsyncCursor[dict[str, Any]]:
    """Runs the statement; in pipeline mode returns before the result has arrived."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(statement.encode(), values)
    return cursor
