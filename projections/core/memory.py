"""A reference implementation of projections, for tests: applies events one by one, in memory.

It uses the same declarations, but no batches, SQL or generated code. The projector must compute the
same rows for any batches and any interleaving of partitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from projections.core.columns import ALWAYS, Column, later_reading, level_value, span_text
from projections.core.derivation import Derivation
from projections.core.documents import NUMBERS, DocumentSet, unpacked
from projections.core.fold import Group
from projections.core.level_parts import LevelParts, PartSetting
from projections.core.tables import Ledger, RowKey, StoredTable, Table

State = dict[str, Any]
Rows = dict[RowKey, State]
Merge = Callable[[Any, Any], Any]
Sets = dict[RowKey, dict[str, list[Any]]]

_MERGES: dict[str, Merge] = {
    "plain": lambda old, new: new,
    "first": lambda old, new: old,
    "total": lambda old, new: old + new,
    "maximum": lambda old, new: max((v for v in (old, new) if v is not None), default=None),
    "earliest": lambda old, new: min((v for v in (old, new) if v is not None), default=None),
    "spans": lambda old, new: [*old, *new],
}


class Memory:
    """The tables of a group in memory. `rows`: by table name, then key: values by column name."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.rows: dict[str, Rows] = {table.name: {} for table in group.tables}
        self._seen: set[bytes] = set()
        self._erased: set[bytes] = set()
        self._documents: dict[DocumentSet, Sets] = {table: {} for table in group.document_sets}

    def take(self, event: Any, source: int) -> None:
        """Applies an event from the partition `source`; a resend changes nothing."""
        event_id = event.meta.event_id
        if event_id in self._seen:
            return
        self._seen.add(event_id)
        numbers: dict[StoredTable, int] = {}
        for _, handler in self.group.handlers.get(type(event), ()):
            for table, key, values in handler(event):
                if isinstance(table, DocumentSet):
                    self._documents[table].setdefault(key, {})[event_id.hex()] = values[0]
                    continue
                if isinstance(table, Ledger):
                    key = (event_id, _next(numbers, table))
                elif isinstance(table, Table) and table.by_partition:
                    key = (*key, source)
                new = dict(zip(table.values, values, strict=True))
                self._note(table, key, new, event_id, numbers)
                self._put(table, key, new)
        for evolution, key_of, evolve in self.group.evolvers.get(type(event), ()):
            key = key_of(event)
            before = self.rows[evolution.name].get(key)
            state = evolve(None if before is None else dict(before), event)
            self.rows[evolution.name][key] = {
                **state,
                **dict(zip(evolution.keys, key, strict=True)),
            }
        subject = self.group.erasures.get(type(event))
        if subject is not None:
            self._erased.add(getattr(event, subject))
        self._forget()

    def table(self, table: StoredTable) -> Rows:
        """The rows of a table as readers get them, by key."""
        if isinstance(table, Derivation):
            return self._derived(table)
        told = self.rows
        self.rows = {name: dict(rows) for name, rows in told.items()}
        try:
            self._follow()
            rows = self.rows[table.name]
            return {key: self._shown(table, key, row) for key, row in rows.items()}
        finally:
            self.rows = told

    def _follow(self) -> None:
        """Adds the sets of documents, and every row that follows from them."""
        sets = {table: {k: dict(v) for k, v in own.items()} for table, own in
                self._documents.items()}  # fmt: skip
        for at, source in enumerate(self.group.document_sets):
            self.group.derivations.ask(source, sets)
            for key, documents in sets[source].items():
                self.rows[source.name][key] = dict(
                    zip(source.columns, (*key, *source.values_of(key, documents)), strict=True)
                )
                numbers: dict[tuple[StoredTable, str], int] = {}
                for derive in self.group.derivations.of(source):
                    for name, (table, own, values) in derive(key, documents):
                        if isinstance(table, DocumentSet):
                            sets[table].setdefault(own, {})[name] = values[0]
                        else:
                            self._follow_row(table, own, values, name, numbers, NUMBERS * at)

    def _follow_row(
        self,
        table: StoredTable,
        key: RowKey,
        values: list[Any],
        name: str,
        numbers: dict[tuple[StoredTable, str], int],
        first: int,
    ) -> None:
        """Merges or appends one row that follows from the document with this id."""
        event_id, new = bytes.fromhex(name), dict(zip(table.values, values, strict=True))
        if isinstance(table, Ledger):
            number = numbers[table, name] = numbers.get((table, name), first - 1) + 1
            self._put(table, (event_id, number), new)
            return
        own = {one: numbers.get((one, name), first - 1) for one in self.group.changes.values()}
        self._note(table, key, new, event_id, own)  # type: ignore[arg-type]
        numbers.update({(one, name): number for one, number in own.items()})
        self._put(table, key, new)

    def _put(self, table: StoredTable, key: RowKey, new: State) -> None:
        rows = self.rows[table.name]
        row = rows.get(key)
        values = new if row is None else _merged(table.columns, row, new)
        rows[key] = {**dict(zip(table.keys, key, strict=True)), **values}

    def _note(
        self,
        table: StoredTable,
        key: RowKey,
        new: State,
        event_id: bytes,
        numbers: dict[StoredTable, int],
    ) -> None:
        """Adds the row of the change ledger if the row `new` changes a level."""
        changes = self.group.changes.get(table) if isinstance(table, Table) else None
        if changes is None or not isinstance(table, Table) or table.level is None:
            return
        delta, at, _, _ = new[table.values[table.level]]
        if at is not None and at != ALWAYS:
            number = _next(numbers, changes)
            values = (event_id, number, *key, at, delta)
            self.rows[changes.name][event_id, number] = dict(
                zip((*changes.keys, *changes.values), values, strict=True)
            )

    def _shown(self, table: StoredTable, key: RowKey, row: State) -> State:
        shown = dict(zip(table.keys, key, strict=True))
        for name in table.values:
            kind = table.columns[name].kind
            if kind == "level":
                shown |= self._level(table, key, name, row[name])
            else:
                shown[name] = span_text(row[name]) if kind == "spans" else row[name]
            if table.columns[name].type == "json":
                shown[name] = unpacked(row[name])
        return shown

    def _level(self, table: Any, key: RowKey, name: str, part: Any) -> State:
        """The columns of a level: its value, its latest reading, and the reading's time."""
        kept = self.rows[self.group.changes[table].name].values()
        mine = [one for one in kept if tuple(one[part] for part in table.keys) == key]
        _, _, reading, at = part
        moved = [(one["at"], one["delta"]) for one in mine]
        value = level_value(reading, at, moved)
        if table.parts is not None:
            value = self._of_parts(table.parts, key, moved)
        return {name: value, f"{name}_read": reading, f"{name}_read_at": at}

    def _of_parts(self, parts: LevelParts, key: RowKey, moved: list[tuple[int, int]]) -> int:
        """A level that is also read in parts."""
        names = parts.readings.values
        told = [
            parts.reading([row[name] for name in names])
            for row in self.rows[parts.readings.name].values()
        ]
        settings = [
            PartSetting(own[1], row[parts.setting])
            for own, row in self.rows[parts.settings.name].items()
            if own[0] == parts.concerns(key)
        ]
        return parts.value([one for own, one in told if own == key], moved, settings)

    def _forget(self) -> None:
        for table in self.group.tables:
            if table.subject is None:
                continue
            rows = self.rows[table.name]
            for key in [key for key, row in rows.items() if row[table.subject] in self._erased]:
                if table.forget:
                    del rows[key]
                else:
                    rows[key].update(dict.fromkeys(table.personal))

    def _derived(self, table: Derivation) -> Rows:
        """The rows of a derivation, computed from all input rows."""
        found = table.decided(lambda part: self.rows[part.name].values())
        names = (*table.keys, *table.values)
        return {key: dict(zip(names, (*key, *row), strict=True)) for key, row in found.items()}


def _next(numbers: dict[StoredTable, int], table: StoredTable) -> int:
    numbers[table] = numbers.get(table, -1) + 1
    return numbers[table]


def _merged(columns: Mapping[str, Column], old: State, new: State) -> State:
    merged = {}
    for name, value in new.items():
        column = columns[name]
        if column.kind == "latest_by":
            at = column.at or ""
            rows = [row for row in (old, new) if row[at] is not None]
            merged[name] = (
                max(rows, key=lambda row: _order(row[at], row[name]))[name] if rows else None
            )
        elif column.kind == "first_by":
            whole = (column.at or "", column.by or "")
            rows = [row for row in (old, new) if None not in (row[whole[0]], row[whole[1]])]
            first = min(rows, key=lambda row: (row[whole[0]], row[whole[1]])) if rows else old
            merged[name] = first[name]
        elif column.kind == "level":
            merged[name] = later_reading(old[name], value)
        else:
            merged[name] = _MERGES[column.kind](old[name], value)
    return merged


def _order(at: Any, value: Any) -> tuple[Any, ...]:
    """Sort key: by time, then by value; a value of None comes first."""
    return (at, value is not None, *([] if value is None else [value]))
