"""How are rows read within a deciding transaction?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row

from services.deciding.answers import Connection


async def rows_of(
    connection: Connection, statement: str, values: Sequence[Any] | Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Rows by column."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), values)
        return await cursor.fetchall()
