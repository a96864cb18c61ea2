"""Which rows does Redis have to get, once a transaction is in?"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from projections.core.redis_rows import Chunks, First, ViewRow
from projections.core.tables import StoredTable


@dataclass(slots=True)
class RedisChanges:
    """Rows as Postgres told of them, and a ledger's, which nothing will change.

    `noted`: the notes of others, too many to be held; they are read back from Postgres.
    """

    told: dict[StoredTable, list[ViewRow]] = field(default_factory=dict)
    first: dict[StoredTable, First] = field(default_factory=dict)
    noted: list[int] = field(default_factory=list)

    def tell(self, table: StoredTable, rows: list[ViewRow]) -> None:
        """Adds rows as Postgres has them now."""
        self.told.setdefault(table, []).extend(rows)

    @property
    def size(self) -> int:
        """How many rows are held."""
        return sum(map(len, self.told.values())) + sum(rows for rows, _ in self.chunks)

    @property
    def chunks(self) -> Chunks:
        """The rows of ledgers, of whichever table."""
        return [chunk for one in self.first.values() for chunk in one.chunks]

    def keys(self) -> bytes | None:
        """What of them is noted: a JSON object of hash keys by table, or None without any."""
        parts = {table.name: one.keys for table, one in self.first.items() if one.chunks}
        for table, rows in self.told.items():
            if rows:
                keys = {row[0] for row in rows}.union(json.loads(parts.get(table.name, b"[]")))
                parts[table.name] = json.dumps(list(keys)).encode()
        named = [json.dumps(name).encode() + b": " + keys for name, keys in parts.items()]
        return b"{" + b", ".join(named) + b"}" if named else None
