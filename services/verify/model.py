"""Computes what the tables should contain: folds events in memory by the declared handlers.

It uses neither batches nor SQL: each kind of column is merged by a plain function. A ledger's row
belongs to a single event, so ledger rows are returned, for the caller to compare, and not kept.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from projections.core.columns import later_reading, level_value
from projections.core.derivation import Derivation
from projections.core.documents import NUMBERS, Derive, Document, DocumentSet
from projections.core.fold import Group
from projections.core.level_parts import LevelParts, PartReading, PartSetting
from projections.core.projection import Projection
from projections.core.tables import (
    Evolution,
    Ledger,
    RowKey,
    StoredTable,
    Table,
    change_ledger,
)

Merge = Callable[[Any, Any], Any]
Appended = tuple[StoredTable, tuple[bytes, int], list[Any]]
_MERGES: dict[str, Merge] = {
    "total": lambda old, new: old + new,
    "first": lambda old, new: old,
    "maximum": lambda old, new: new if old is None or (new is not None and new > old) else old,
    "earliest": lambda old, new: new if old is None or (new is not None and new < old) else old,
    "spans": lambda old, new: old.extend(new) or old,  # in place: copies would cost O(n²)
}


class HandlerRefused(Exception):
    """A handler raised an exception, so the event cannot be applied; the text is its class."""


class TableModel:
    """The expected rows of the `chosen` projections' tables.

    `projections`: all of the group. The handlers of all of them run, since any of them may refuse
    an event.
    """

    def __init__(self, projections: Iterable[Projection], chosen: Iterable[str]) -> None:
        self._projections = sorted(projections, key=lambda one: one.name)
        names = set(chosen)
        tables = [t for one in self._projections if one.name in names for t in one.tables]
        self.companions = {
            t: change_ledger(t) for t in tables if isinstance(t, Table) and _levels(t)
        }
        self.tables: list[StoredTable] = [*tables, *self.companions.values()]
        self.rows: dict[StoredTable, dict[RowKey, list[Any]]] = {
            t: {} for t in tables if isinstance(t, Table | Evolution | DocumentSet)
        }
        whole = Group("", self._projections)
        # of all projections, because rows of the chosen ones may follow from sets of others
        self.documents: dict[DocumentSet, dict[RowKey, dict[str, Document]]] = {
            table: {} for table in whole.document_sets
        }
        self._derives: dict[DocumentSet, list[Derive]] = {
            table: whole.derivations.of(table) for table in whole.document_sets
        }
        self._ask = whole.derivations.ask
        self.changes: dict[Table, dict[RowKey, array[int]]] = {t: {} for t in self.companions}
        # readings of levels that are also read in parts
        self._parts = {t.parts.readings: t.parts for t in self.companions if t.parts}
        self._readings: dict[Table, dict[RowKey, list[PartReading]]] = {
            parts.table: {} for parts in self._parts.values()
        }
        self._settings: dict[Table, dict[Any, list[PartSetting]]] = {}
        self.erased: set[bytes] = set()
        self._erasures = {
            event: subject for one in self._projections for event, subject in one.erasures.items()
        }
        self._merges = {t: _merging(t) for t in self.rows if isinstance(t, Table)}
        self._handlers: dict[type, list[tuple[str, Any]]] = {}
        self._evolvers: dict[type, list[Any]] = {}

    def handler_rows(
        self, event: Any, without: Collection[str] = ()
    ) -> list[tuple[StoredTable, RowKey, list[Any]]]:
        """The rows that all handlers return for an event; raises `HandlerRefused` if one refuses.

        `without`: names of projections that skip this event.
        """
        kind = type(event)
        if kind not in self._handlers:
            self._look_up(kind)
        try:
            rows = [
                row
                for name, handler in self._handlers[kind]
                if name not in without
                for row in handler(event)
            ]
            for table, key_of, _ in self._evolvers[kind]:
                if table.projection not in without:
                    key_of(event)
        except Exception as error:
            raise HandlerRefused(type(error).__name__) from error
        return rows

    def refusing(self, event: Any, listed: Mapping[str, str]) -> set[str]:
        """Which of the projections that are recorded as skipping the event really refuse it.

        `listed`: the stage of the refusal by projection. A refusal by Postgres (stage "store") is
        believed; every other one is recomputed by running the handler.
        """
        refusing = {name for name, stage in listed.items() if stage == "store"}
        for name in listed.keys() - refusing:
            others = {one.name for one in self._projections} - {name}
            try:
                self.handler_rows(event, others)
                self._evolved(event, others)
            except HandlerRefused:
                refusing.add(name)
        return refusing

    def take(
        self,
        event: Any,
        source: int,
        rows: list[tuple[StoredTable, RowKey, list[Any]]],
        without: Collection[str] = (),
    ) -> list[Appended]:
        """Folds an event; returns the ledger rows that it produces.

        `source`: topic number and partition in one integer. `rows`: from `handler_rows`. Raises
        `HandlerRefused`, before any change, if a state machine refuses the event.
        """
        states = self._evolved(event, without)
        appended: list[Appended] = []
        event_id, numbers = event.meta.event_id, dict[StoredTable, int]()
        for table, key, values in rows:
            if isinstance(table, DocumentSet):
                self.documents[table].setdefault(key, {})[event_id.hex()] = values[0]
                continue
            if isinstance(table, Ledger):
                number = numbers[table] = numbers.get(table, -1) + 1
                appended.append((table, (event_id, number), values))
                if table in self._parts:
                    parts = self._parts[table]
                    key, reading = parts.reading(values)
                    self._readings[parts.table].setdefault(key, []).append(reading)
                continue
            held = self.rows.get(table)
            if held is None or not isinstance(table, Table):
                continue
            if table.by_partition:
                key = (*key, source)
            for at, delta in self._changed(table, key, values):
                note = self.companions[table]
                number = numbers[note] = numbers.get(note, -1) + 1
                appended.append((note, (event_id, number), [*key, at, delta]))
            old = held.get(key)
            held[key] = values if old is None else self._merges[table](old, values)
            self._forget(table, key)
        for table, key, state in states:
            self.rows[table][key] = state
            self._forget(table, key)
        subject = self._erasures.get(type(event))
        if subject is not None:
            self.erased.add(getattr(event, subject))
            for table, key, _ in states:
                self._forget(table, key)
        return appended

    def follow(self) -> list[Appended]:
        """Adds what follows from all sets of documents, once every event was folded; returns the
        ledger rows.
        """
        appended: list[Appended] = []
        for source, sets in self.documents.items():
            self._ask(source, self.documents)
            for key, documents in sets.items():
                if source in self.rows:
                    self.rows[source][key] = source.values_of(key, documents)
                for table, own, values in self.followed(source, key):
                    if isinstance(table, DocumentSet):
                        name, document = values
                        self.documents[table].setdefault(own, {})[name] = document
                    elif isinstance(table, Ledger):
                        appended.append((table, (own[0], own[1]), values))
                    elif table in self.rows and isinstance(table, Table):
                        self._changed(table, own, values)
                        old = self.rows[table].get(own)
                        merge = self._merges[table]
                        self.rows[table][own] = values if old is None else merge(old, values)
        return appended

    def followed(
        self, source: DocumentSet, key: RowKey
    ) -> Iterable[tuple[StoredTable, RowKey, list[Any]]]:
        """The rows that follow from one set, as (table, key, values).

        For a document of another set, the values are the document's id and the document.
        """
        first = NUMBERS * [*self.documents].index(source)
        numbers: dict[tuple[StoredTable, str], int] = {}

        def numbered(table: StoredTable, name: str) -> RowKey:
            number = numbers.get((table, name), first)
            numbers[table, name] = number + 1
            return (bytes.fromhex(name), number)

        for derive in self._derives[source]:
            for name, (table, own, values) in derive(key, self.documents[source].get(key, {})):
                if isinstance(table, DocumentSet):
                    yield table, own, [name, values[0]]
                    continue
                if isinstance(table, Ledger):
                    yield table, numbered(table, name), values
                    continue
                assert isinstance(table, Table)
                if table in self.companions:
                    note = self.companions[table]
                    for at, delta in level_changes(table, values):
                        yield note, numbered(note, name), [*own, at, delta]
                yield table, own, values

    def level(self, table: Table, key: RowKey, value: Any) -> int:
        """The value of a level, from its folded part, its readings and its changes."""
        _, _, reading, read_at = value
        flat = self.changes[table].get(key) or ()
        changes = zip(flat[::2], flat[1::2], strict=True)
        if table.parts is None:
            return level_value(reading, read_at, changes)
        readings = self._readings[table].get(key, ())
        if all(one.part is None for one in readings):
            return level_value(reading, read_at, changes)
        return table.parts.value(readings, changes, self._set(table.parts, key))

    def _set(self, parts: LevelParts, key: RowKey) -> Sequence[PartSetting]:
        """The settings that concern a level; grouped once all events are folded."""
        found = self._settings.get(parts.table)
        if found is None:
            found = self._settings[parts.table] = {}
            part = parts.settings.values.index(parts.setting)
            for own, row in self.rows[parts.settings].items():
                found.setdefault(own[0], []).append(PartSetting(own[1], row[part]))
        return found.get(parts.concerns(key), ())

    def finish(self) -> None:
        """Removes the personal data of erased subjects from all rows."""
        for table, rows in self.rows.items():
            if table.subject is not None:
                for key in list(rows):
                    self._forget(table, key)

    def derived(self, table: Derivation) -> dict[RowKey, list[Any]]:
        """The rows of a derived table, computed from all rows of its inputs."""
        return table.decided(self._dicts)

    def keys(self, event: Any) -> list[tuple[StoredTable, RowKey]]:
        """Table and key of the state-machine rows (evolutions) that an event changes."""
        if type(event) not in self._evolvers:
            self._look_up(type(event))
        evolvers = self._evolvers[type(event)]
        return [(table, key_of(event)) for table, key_of, _ in evolvers if table in self.rows]

    def _look_up(self, kind: type) -> None:
        self._handlers[kind] = [
            (p.name, h) for p in self._projections for h in p.handlers.get(kind, ())
        ]
        self._evolvers[kind] = [e for p in self._projections for e in p.evolvers.get(kind, ())]

    def _evolved(
        self, event: Any, without: Collection[str] = ()
    ) -> list[tuple[StoredTable, RowKey, list[Any]]]:
        """The new states of state machines; not stored here, since the event may be refused."""
        found: list[tuple[StoredTable, RowKey, list[Any]]] = []
        for table, key_of, evolve in self._evolvers[type(event)]:
            rows = self.rows.get(table)
            if rows is None or table.projection in without:
                continue
            key = key_of(event)
            old = rows.get(key)
            try:
                state = evolve(None if old is None else _named(table, key, old), event)
                found.append((table, key, [state[name] for name in table.values]))
            except Exception as error:
                raise HandlerRefused(type(error).__name__) from error
        return found

    def _changed(self, table: Table, key: RowKey, values: list[Any]) -> list[tuple[int, int]]:
        """The level changes of a row; also kept by time, because a reading may arrive later."""
        if table not in self.changes:
            return []
        found = level_changes(table, values)
        if found:
            mine = self.changes[table].get(key)
            if mine is None:
                mine = self.changes[table][key] = array("q")
            for change in found:
                mine.extend(change)
        return found

    def _forget(self, table: StoredTable, key: RowKey) -> None:
        if table.subject is None or not self.erased:
            return
        rows = self.rows[table]
        row = rows.get(key)
        if row is None or key[table.keys.index(table.subject)] not in self.erased:
            return
        if table.forget:
            del rows[key]
            return
        personal = set(table.personal)
        rows[key] = [
            None if name in personal else value
            for name, value in zip(table.values, row, strict=True)
        ]

    def _dicts(self, table: StoredTable) -> list[dict[str, Any]]:
        return [_named(table, key, row) for key, row in self.rows[table].items()]


def level_changes(table: Table, values: list[Any]) -> list[tuple[int, int]]:
    """Time and amount of a row's changes of levels; a reading is not a change."""
    parts = [values[table.values.index(name)] for name in _levels(table)]
    return [(at, delta) for delta, at, _, read_at in parts if at is not None and read_at is None]


def _levels(table: StoredTable) -> list[str]:
    return [name for name in table.values if table.columns[name].kind == "level"]


def _named(table: StoredTable, key: RowKey, row: list[Any]) -> dict[str, Any]:
    named = dict(zip(table.values, row, strict=True))
    named.update(zip(table.keys, key, strict=True))
    return named


def _merging(table: Table) -> Merge:
    """A function that merges two rows of this table."""
    steps = [_step(table, name) for name in table.values]

    def merged(old: list[Any], new: list[Any]) -> list[Any]:
        return [step(old, new) for step in steps]

    return merged


def _step(table: Table, name: str) -> Merge:
    index, column = table.values.index(name), table.columns[name]
    if column.kind == "latest_by":
        return _later(index, table.values.index(column.at or ""))
    if column.kind == "first_by":
        of = table.values.index
        return _sooner(index, of(column.at or ""), of(column.by or ""))
    merge = later_reading if column.kind == "level" else _MERGES[column.kind]
    return lambda old, new: merge(old[index], new[index])


def _later(index: int, at: int) -> Merge:
    """Keeps the value with the later time, at equal times the greater; ignores one without time."""

    def order(row: list[Any]) -> tuple[Any, ...]:
        if row[at] is None:
            return (False,)
        value = row[index]
        return (True, row[at], value is not None, *([] if value is None else [value]))

    return lambda old, new: (new if order(new) > order(old) else old)[index]


def _sooner(index: int, at: int, by: int) -> Merge:
    """Keeps the value with the earlier time, at equal times with the smaller `by`.

    Ignores a row in which the time or `by` is null.
    """

    def order(row: list[Any]) -> tuple[Any, ...]:
        return (True,) if row[at] is None or row[by] is None else (False, row[at], row[by])

    return lambda old, new: (new if order(new) < order(old) else old)[index]
