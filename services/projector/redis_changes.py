"""The rows that Redis must receive after a transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from projections.core.redis_rows import Chunks, First, ViewRow
from projections.core.tables import StoredTable


@dataclass(slots=True)
class RedisChanges:
    """Changed rows as Postgres returned them, and ledger rows, which never change.

    `noted`: ids of notes whose rows are too many to hold in memory; they are read back from
    Postgres.
    """

    told: dict[StoredTable, list[ViewRow]] = field(default_factory=dict)
    first: dict[StoredTable, First] = field(default_factory=dict)
    noted: list[int] = field(default_factory=list)

    def tell(self, table: StoredTable, rows: list[ViewRow]) -> None:
        """Adds rows in their present state."""
        self.told.setdefault(table, []).extend(rows)

    @property
    def size(self) -> int:
        """Number of rows held."""
        return sum(map(len, self.told.values())) + sum(rows for rows, _ in self.chunks)

    @property
    def chunks(self) -> Chunks:
        """The ledgers' rows, by table."""
        return [chunk for one in self.first.values() for chunk in one.chunks]

    def keys(self) -> bytes | None:
        """The keys to note as pending: a JSON object of hash keys by table; None when there are
        none.
        """
        parts = {table.name: one.keys for table, one in self.first.items() if one.chunks}
        for table, rows in self.told.items():
            if rows:
                keys = {row[0] for row in rows}.union(json.loads(parts.get(table.name, b"[]")))
                parts[table.name] = json.dumps(list(keys)).encode()
        named = [json.dumps(name).encode() + b": " + keys for name, keys in parts.items()]
        return b"{" + b", ".join(named) + b"}" if named else None
