"""An invariant: a statement that must be true for every key of a table, and its test."""

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
    """Expected and found value of a key that violates an invariant, without personal data."""

    expected: Any
    found: Any


Check = Callable[[Connection, Sequence[Key]], Awaitable[dict[Key, Violation]]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement (`says`, a sentence) about every key of `table`.

    `key`: columns to types, in the order of an index. `about`: the set NAME for which
    `hitotsu verify NAME` tests it. `broken` returns the violations among some keys; a key that no
    longer exists is no violation.
    """

    name: str
    says: str
    about: str
    table: str
    key: Mapping[str, str]
    broken: Check

    async def keys(self, connection: Connection, after: Key | None, limit: int) -> list[Key]:
        """The next `limit` keys in order (a keyset page); None for `after`: from the first key."""
        columns = ", ".join(self.key)
        given = ", ".join(f"%s::{type}" for type in self.key.values())
        later = f"where ({columns}) > ({given})" if after is not None else ""
        statement = (
            f"select distinct {columns} from {self.table} {later} order by {columns} limit %s"
        )
        cursor = await connection.execute(statement.encode(), [*(after or ()), limit])
        return await cursor.fetchall()


def by_sql(key: Mapping[str, str], statement: str) -> Check:
    """Makes a check of one SELECT, which reads the keys to test from the table expression `k`.

    It selects, for violations only, the key columns, the expected and the found value (JSON).
    """
    columns = ", ".join(key)
    arrays = ", ".join(f"%s::{type}[]" for type in key.values())
    whole = f"with k({columns}) as (select * from unnest({arrays})) {statement}".encode()

    async def broken(connection: Connection, keys: Sequence[Key]) -> dict[Key, Violation]:
        if not keys:
            return {}
        rows = await connection.execute(whole, [list(column) for column in zip(*keys, strict=True)])
        return {row[:-2]: Violation(row[-2], row[-1]) async for row in rows}

    return broken
