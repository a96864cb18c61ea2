"""Caches rows of tables that only one, rarely written topic changes.

Items and policies change a few times a day and are read hundreds at a time. Cached rows are valid
while the topic's checkpoints are those at which they were cached; these are their position in the
answer. A request that needs a later position does not use the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from projections.core.tables import StoredTable
from services.reading.position import Position, topic_of

ROWS_MAX = 200_000
Rows = list[dict[str, Any]]


class RowCache:
    """Cached rows by table, then by value of the view's key column."""

    def __init__(self) -> None:
        self._positions: Mapping[str, Position] = {}
        self._now: dict[tuple[str, str], Position] = {}
        self._standing: dict[StoredTable, Position] = {}
        self._rows: dict[StoredTable, dict[object, Rows]] = {}
        self._count = 0

    @property
    def positions(self) -> Mapping[str, Position]:
        """The checkpoints by group, as polled last."""
        return self._positions

    @positions.setter
    def positions(self, positions: Mapping[str, Position]) -> None:
        self._positions = positions
        self._now.clear()

    def clear(self) -> None:
        """Drops all rows; called when tables may have been replaced."""
        self._rows.clear()
        self._standing.clear()
        self._count = 0

    def held(self, table: StoredTable, group: str) -> Mapping[object, Rows] | None:
        """The table's valid cached rows, by value; None if the table cannot be cached now.

        Drops rows that were cached at other checkpoints.
        """
        now = self.standing(table, group)
        if now is None:
            return None
        if self._standing.get(table) != now:
            self._standing[table] = now
            dropped = self._rows.pop(table, {})
            self._count -= sum(len(rows) for rows in dropped.values())
        return self._rows.get(table, {})

    def put(
        self, table: StoredTable, group: str, values: Iterable[object], rows: Rows, read: Position
    ) -> None:
        """Caches `rows`, which are all rows with these `values`; `read`: position of their source.

        Does nothing unless that position equals the topic's checkpoints.
        """
        now = self.standing(table, group)
        if now is None or self._standing.get(table) != now or table.view is None:
            return
        if any(read.get(name) != offset for name, offset in now.items()):
            return
        (by,) = table.view.by
        fetched: dict[object, Rows] = {value: [] for value in values}
        for row in rows:
            fetched[row[by]].append(row)
        if self._count + len(fetched) + len(rows) > ROWS_MAX:
            self.clear()
            self._standing[table] = now
        self._rows.setdefault(table, {}).update(fetched)
        # that there are no rows is remembered too, and takes as much room as a row
        self._count += sum(max(1, len(listed)) for listed in fetched.values())

    def standing(self, table: StoredTable, group: str) -> Position | None:
        """The checkpoints of the only topic that changes the table; None if there is no such topic
        or the checkpoints are unknown.
        """
        position = self._positions.get(group)
        if table.moved_by is None or not position:
            return None
        now = self._now.get((group, table.moved_by))
        if now is None:
            topic = table.moved_by
            now = {name: offset for name, offset in position.items() if topic_of(name) == topic}
            self._now[group, topic] = now
        return now
