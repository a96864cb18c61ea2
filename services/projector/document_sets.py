"""Stores sets of documents and computes what follows from them, in the caller's transaction.

A set that is new is inserted without reading it. An existing one is locked, read, joined with the
new documents, and replaced. Sets are stored in the group's order, each in key order, so that
transactions of different partitions wait for each other and never in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from projections.core import sql, wire
from projections.core.arrays import array
from projections.core.documents import (
    DerivedRows,
    Document,
    DocumentSet,
    joined_documents,
    unpacked,
)
from projections.core.fold import Folded, Group
from projections.core.tables import Ledger, RowKey
from services.projector.redis_changes import RedisChanges
from services.runtime.arrays import columns

Connection = psycopg.Connection[TupleRow]
Changed = Mapping[RowKey, Mapping[str, Document | None]]


class DocumentStore:
    """Compiled statements of a group's sets; without `views` no Redis changes are returned."""

    def __init__(self, group: Group, views: bool) -> None:
        self._group, self._shows = group, views
        sets = group.document_sets
        self._adds = {table: sql.add_documents(table) for table in sets}
        self._locks = {table: sql.lock_documents(table) for table in sets}
        self._replaces = {table: sql.replace_documents(table) for table in sets}

    def write(self, connection: Connection, folded: Folded, due: RedisChanges) -> DerivedRows:
        """Stores the documents of a batch; returns what changes in other tables because of them."""
        derived = DerivedRows()
        for table in self._group.document_sets:
            changed = _both(folded.documents.get(table, {}), derived.documents.pop(table, {}))
            if changed:
                self._store(connection, table, changed, derived, due)
        return derived

    def _store(
        self,
        connection: Connection,
        table: DocumentSet,
        changed: Changed,
        derived: DerivedRows,
        due: RedisChanges,
    ) -> None:
        fresh = {key: joined_documents({}, documents) for key, documents in changed.items()}
        added = connection.execute(self._adds[table], _sent(table, fresh)).fetchall()
        self._tell(table, added, due)
        many = len(table.keys)
        held = fresh.keys() - {_key(row[:many]) for row in added} if len(added) < len(fresh) else ()
        for key in fresh.keys() - held if held else fresh:
            self._group.derivations.change(table, key, None, fresh[key], derived)
        if not held:
            return
        asked = wire.key_columns(table, sorted(held))
        joined: dict[RowKey, dict[str, Document]] = {}
        for row in connection.execute(self._locks[table], asked).fetchall():
            key, old = _key(row[:many]), unpacked(row[many])
            joined[key] = joined_documents(old, changed[key])
            self._group.derivations.change(table, key, old, joined[key], derived)
        sent = _sent(table, joined)
        cursor = connection.execute(self._replaces[table], sent)
        if cursor.description:
            self._tell(table, [(*[None] * many, *row) for row in cursor.fetchall()], due)

    def _tell(self, table: DocumentSet, rows: Iterable[Any], due: RedisChanges) -> None:
        """Passes on the rows of a view, without those that are in no hash."""
        if table.view is not None and self._shows:
            many = len(table.keys)
            due.tell(table, [row[many:] for row in rows if row[many] is not None])


def delete(connection: Connection, table: Ledger, rows: list[tuple[Any, ...]]) -> None:
    """Deletes ledger rows that no longer follow from their set."""
    sent = columns([part.type for part in table.stored], rows)
    connection.execute(sql.delete_rows(table).encode(), sent)


def _both(
    told: Mapping[RowKey, Mapping[str, Document | None]],
    derived: Mapping[RowKey, Mapping[str, Document | None]],
) -> Changed:
    """Documents of events, and documents that other sets derive, by key."""
    if not derived:
        return told
    return {
        key: {**told.get(key, {}), **derived.get(key, {})} for key in told.keys() | derived.keys()
    }


def _sent(table: DocumentSet, sets: Mapping[RowKey, Mapping[str, Document]]) -> list[Any]:
    rows = [(*key, *table.values_of(key, sets[key])) for key in sorted(sets)]
    # not `columns`: it converts each value, and these are in the core's types already
    types = [part.type for part in table.stored]
    return [array(type, own) for type, own in zip(types, zip(*rows, strict=True), strict=True)]


def _key(values: Iterable[Any]) -> RowKey:
    return tuple(
        bytes(value) if isinstance(value, memoryview | bytes) else value for value in values
    )
