"""The rows that have to be written to Redis after a transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from projections.core.redis_rows import Chunks, First, ViewRow
from projections.core.tables import StoredTable


@dataclass(slots=True)
class RedisChanges:
    """Rows to write to Redis.

    `told`: changed rows, as Postgres returned them. `first`: encoded new rows of ledgers and sets
    of documents. `noted`: ids of rows of `redis_pending` that list more keys, whose rows are too
    many for memory and are read back from Postgres.
    """

    told: dict[StoredTable, list[ViewRow]] = field(default_factory=dict)
    first: dict[StoredTable, First] = field(default_factory=dict)
    noted: list[int] = field(default_factory=list)

    def tell(self, table: StoredTable, rows: list[ViewRow]) -> None:
        """Adds changed rows of a table."""
        self.told.setdefault(table, []).extend(rows)

    @property
    def size(self) -> int:
        """Number of rows in memory, without `noted`."""
        return sum(map(len, self.told.values())) + sum(rows for rows, _ in self.chunks)

    @property
    def chunks(self) -> Chunks:
        """The encoded new rows of all tables in `first`."""
        return [chunk for one in self.first.values() for chunk in one.chunks]

    def keys(self) -> bytes | None:
        """The keys for a row of `redis_pending`, as JSON: hash keys by table; None if no rows."""
        parts = {table.name: one.keys for table, one in self.first.items() if one.chunks}
        for table, rows in self.told.items():
            if rows:
                keys = {row[0] for row in rows}.union(json.loads(parts.get(table.name, b"[]")))
                parts[table.name] = json.dumps(list(keys)).encode()
        named = [json.dumps(name).encode() + b": " + keys for name, keys in parts.items()]
        return b"{" + b", ".join(named) + b"}" if named else None
