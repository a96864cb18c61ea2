"""Helpers for reading rows inside a command's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncCursor
from psycopg.rows import dict_row

from services.runtime.db import Connection


async def rows_of(
    connection: Connection, statement: str, values: Sequence[Any] | Mapping[str, Any]
) -> list[dict[str, Any]]:
    """All rows, as dicts by column name."""
    return await (await send_query(connection, statement, values)).fetchall()


async def send_query(
    connection: Connection, statement: str, values: Sequence[Any] | Mapping[str, Any]
) -> AsyncCursor[dict[str, Any]]:
    """Sends a query; in pipeline mode it returns before the answer has arrived."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(statement.encode(), values)
    return cursor
