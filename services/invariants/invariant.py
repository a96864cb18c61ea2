"""An invariant: a statement about the keys of a table, and how it is tested."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

Connection = AsyncConnection[TupleRow]
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """Expected and actual value, without personal data."""

    expected: Any
    found: Any


Check = Callable[[Connection, Sequence[Key]], Awaitable[dict[Key, Violation]]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """`says`: the statement, as a sentence, about keys of `table` (columns and types in index
    order).

    `about` names the set in which `hitotsu verify` tests all keys. `broken` returns those of the
    keys that violate it; a key that no longer exists does not.
    """

    name: str
    says: str
    about: str
    table: str
    key: Mapping[str, str]
    broken: Check

    async def keys(self, connection: Connection, after: Key | None, limit: int) -> list[Key]:
        """The next `limit` keys in order (a keyset page)."""
        columns = ", ".join(self.key)
        given = ", ".join(f"%s::{type}" for type in self.key.values())
        later = f"where ({columns}) > ({given})" if after is not None else ""
        statement = (
            f"select distinct {columns} from {self.table} {later} order by {columns} limit %s"
        )
        cursor = await connection.execute(statement.encode(), [*(after or ()), limit])
        return await cursor.fetchall()


def by_sql(key: Mapping[str, str], statement: str) -> Check:
    """A check by one SELECT over `k`, the keys: returns key, expected and found (JSON)."""
    columns = ", ".join(key)
    arrays = ", ".join(f"%s::{type}[]" for type in key.values())
    whole = f"with k({columns}) as (select * from unnest({arrays})) {statement}".encode()

    async def broken(connection: Connection, keys: Sequence[Key]) -> dict[Key, Violation]:
        if not keys:
            return {}
        rows = await connection.execute(whole, [list(column) for column in zip(*keys, strict=True)])
        return {row[:-2]: Violation(row[-2], row[-1]) async for row in rows}

    return broken
