"""Brings expected and stored rows into one comparable form, and formats them for reports.

Rows are compared by their declared columns. A column of kind `level` counts as three: its value,
its last reading, and the time of that reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from projections.core.redis_rows import shown
from projections.core.sql import quoted
from projections.core.tables import StoredTable
from services.verify.report import Difference


class ColumnOrder:
    """The columns of one table, in the order in which rows are compared."""

    def __init__(self, table: StoredTable) -> None:
        self.table = table
        self.names: list[str] = []
        self.types: list[str] = []
        for name in (*table.keys, *table.values):
            column = table.columns[name]
            more = (f"{name}_read", f"{name}_read_at") if column.kind == "level" else ()
            for part in (name, *more):
                self.names.append(part)
                self.types.append(column.type)
        self.keys = len(table.keys)
        self._uuids = [i for i, type in enumerate(self.types) if type == "uuid[]"]

    @property
    def selected(self) -> str:
        """The column list of a SELECT: ids as 16 bytes, ranges as text."""
        return ", ".join(map(_selected, self.names, self.types))

    def read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """A fetched row in the comparable form: ids as bytes."""
        if not self._uuids:
            return tuple(row)
        values = list(row)
        for index in self._uuids:
            if values[index] is not None:
                values[index] = [one.bytes for one in values[index]]
        return tuple(values)

    def key(self, key: Sequence[Any]) -> tuple[str, ...]:
        """The values of a row's key as texts."""
        return tuple(map(str, map(shown, self.types, key)))

    def as_dict(self, row: Sequence[Any] | None) -> dict[str, Any] | None:
        """A row as JSON values by column name; None if there is no row."""
        if row is None:
            return None
        return {
            name: shown(type, value)
            for name, type, value in zip(self.names, self.types, row, strict=True)
        }

    def difference(self, key: Sequence[Any], expected: Any, found: Any) -> Difference:
        """A `Difference` for a row of this table; `expected` or `found` None: there is no row."""
        one, other = self.as_dict(expected), self.as_dict(found)
        field = None
        if self.table.view is not None:
            row = one or other or {}
            names = [name for name in self.table.keys if name != self.table.view.by[0]]
            field = (str(row[self.table.view.by[0]]), "|".join(str(row[name]) for name in names))
        return Difference("postgres", self.table.name, self.key(key), one, other, field)

    def field(self, key: Sequence[Any], values: Sequence[Any]) -> tuple[str, str]:
        """Where Redis has the row: the value of the view's key column, and the hash field."""
        assert self.table.view is not None
        names = (*self.table.keys, *self.table.values)
        by = self.table.view.by[0]
        row = dict(zip(names, (*key, *values)))
        types = {name: self.table.columns[name].type for name in names}
        rest = [name for name in self.table.keys if name != by]
        field = "|".join(str(shown(types[name], row[name])) for name in rest)
        return str(shown(types[by], row[by])), field


def _selected(name: str, type: str) -> str:
    if type == "uuid":
        return f"uuid_send({quoted(name)})"
    return f"{quoted(name)}::text" if type == "int8multirange" else quoted(name)
