"""Stores sets of documents and computes what follows from them, in the caller's transaction.

A set that is new is inserted without reading it. An existing one is locked, read, joined with the
new documents, and replaced; one without documents is deleted, if Redis has no copy of it. Sets are
stored in the group's order, each in key order, so that transactions of different partitions wait
for each other and hardly ever in a circle; Postgres ends one of a circle, and it is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from projections.core import sql, wire
from projections.core.arrays import array
from projections.core.columns import Stored
from projections.core.documents import (
    DerivedRows,
    Document,
    DocumentSet,
    joined_documents,
    unpacked,
)
from projections.core.fold import Folded, Group
from projections.core.redis_rows import hash_key, view_writer
from projections.core.row_copy import copy_encoder
from projections.core.tables import Ledger, RowKey
from services.projector.redis_changes import RedisChanges
from services.runtime.arrays import columns

ALIVE_SECONDS = 1.0
COPY_FROM = 100
"""So many new rows cost more by INSERT than a savepoint and a COPY."""
Connection = psycopg.Connection[TupleRow]
Changed = Mapping[RowKey, Mapping[str, Document | None]]


class Heartbeat:
    """Keeps a transaction alive during a long computation: Postgres ends one that is idle."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._at = connection, time.monotonic()

    def beat(self) -> None:
        """Talks to Postgres if that was long ago."""
        now = time.monotonic()
        if now - self._at >= ALIVE_SECONDS:
            self._connection.execute("select")
            self._at = now


class DocumentStore:
    """Compiled statements of a group's sets; without `views` no Redis changes are returned."""

    def __init__(self, group: Group, views: bool) -> None:
        self._group = group
        sets = group.document_sets
        self._adds: dict[tuple[DocumentSet, tuple[str, ...]], str] = {}
        # by set with a view: the position of the view's key column, and the rows' encoder
        self._views = {
            table: (
                [part.name for part in table.stored].index(table.view.by[0]),
                view_writer(table, hash_key(table, group.versions[table.projection], "")),
            )
            for table in sets
            if views and table.view is not None
        }
        # by set with a view: the position of the view's key column, and the rows' COPY body. The
        # column has a value once the document that begins the set is known
        self._copies = {
            table: (
                [part.name for part in table.stored].index(table.view.by[0]),
                copy_encoder([*(part.type for part in table.stored), "bigint"]),
            )
            for table in sets
            if table.view is not None
        }
        self._locks = {table: sql.lock_documents(table) for table in sets}
        self._replaces = {table: sql.replace_documents(table) for table in sets}

    def write(self, connection: Connection, folded: Folded, due: RedisChanges) -> DerivedRows:
        """Stores the documents of a batch; returns what changes in other tables because of them."""
        derived, told = DerivedRows(), folded.documents
        while told or derived.documents:
            for table in self._group.document_sets:
                changed = _both(told.get(table, {}), derived.documents.pop(table, {}))
                if changed:
                    self._store(connection, table, changed, derived, due)
            told = {}  # what is left are answers to sets that were stored before
        derived.net()
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
        rows = _rows(table, fresh)
        held = self._add(connection, table, rows)
        many = len(table.keys)
        if table in self._views:
            by, encode = self._views[table]
            new = [row for row in rows if row[by] is not None]
            if held:
                new = [row for row in new if row[:many] not in held]
            if new:
                due.first[table] = encode(new)
        heart = Heartbeat(connection)
        for key in fresh.keys() - held if held else fresh:
            self._group.derivations.change(table, key, None, fresh[key], derived)
            heart.beat()
        if not held:
            return
        asked = wire.key_columns(table, sorted(held))
        joined: dict[RowKey, dict[str, Document]] = {}
        for row in connection.execute(self._locks[table], asked).fetchall():
            key, old = _key(row[:many]), unpacked(row[many])
            joined[key] = joined_documents(old, changed[key])
            self._group.derivations.change(table, key, old, joined[key], derived)
            heart.beat()
        # another transaction deleted a set that had no documents while this one waited for the row
        deleted = {key: changed[key] for key in held - joined.keys()}
        if table.view is None:
            empty = [key for key, documents in joined.items() if not documents]
            self._delete(connection, table, empty)
            joined = {key: documents for key, documents in joined.items() if documents}
        if joined:
            sent = _arrays(table.stored, zip(*_rows(table, joined), strict=True))
            cursor = connection.execute(self._replaces[table], sent)
            if table in self._views:
                due.tell(table, [row for row in cursor.fetchall() if row[0] is not None])
        if deleted:
            self._store(connection, table, deleted, derived, due)

    def _delete(self, connection: Connection, table: DocumentSet, keys: list[RowKey]) -> None:
        if keys:
            parts = [part for part in table.stored if part.name in table.keys]
            sent = _arrays(parts, zip(*keys, strict=True))
            connection.execute(sql.delete_documents(table), sent)

    def _add(
        self, connection: Connection, table: DocumentSet, rows: list[tuple[Any, ...]]
    ) -> Set[RowKey]:
        """Inserts rows; returns the keys of those that were there before, and stay as they are."""
        if table in self._copies and len(rows) >= COPY_FROM:
            begins, _ = self._copies[table]
            if self._copy(connection, table, [row for row in rows if row[begins] is not None]):
                rows = [row for row in rows if row[begins] is None]
        return self._insert(connection, table, rows) if rows else frozenset()

    def _copy(
        self, connection: Connection, table: DocumentSet, rows: list[tuple[Any, ...]]
    ) -> bool:
        """Inserts rows that are nearly always new by COPY, which costs half of an INSERT.

        Returns False, with nothing inserted, if one was there before: a correction came first.
        """
        _, encode = self._copies[table]
        try:
            with (
                connection.transaction(),
                connection.cursor() as cursor,
                cursor.copy(sql.copy_documents(table)) as copy,
            ):
                copy.write(encode((*row, 1) for row in rows))
        except psycopg.errors.UniqueViolation:
            return False
        return True

    def _insert(
        self, connection: Connection, table: DocumentSet, rows: list[tuple[Any, ...]]
    ) -> Set[RowKey]:
        sent = [
            (part, own)
            for part, own in zip(table.stored, zip(*rows, strict=True), strict=True)
            if own[0] is not None or own.count(None) < len(own)
        ]
        parts = [part for part, _ in sent]
        names = tuple(part.name for part in parts)
        statement = self._adds.get((table, names))
        if statement is None:
            statement = self._adds[table, names] = sql.add_documents(table, names)
        cursor = connection.execute(statement, _arrays(parts, [own for _, own in sent]))
        if cursor.rowcount == len(rows):  # most batches: the returned keys need not be read
            return frozenset()
        many = len(table.keys)
        return {row[:many] for row in rows} - {_key(row) for row in cursor.fetchall()}


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


def _rows(
    table: DocumentSet, sets: Mapping[RowKey, Mapping[str, Document]]
) -> list[tuple[Any, ...]]:
    return [(*key, *table.values_of(key, sets[key])) for key in sorted(sets)]


def _arrays(parts: Iterable[Stored], values: Iterable[Sequence[Any]]) -> list[Any]:
    # not `columns`: it converts each value, and these are in the core's types already
    return [array(part.type, own) for part, own in zip(parts, values, strict=True)]


def _key(values: Iterable[Any]) -> RowKey:
    return tuple(
        bytes(value) if isinstance(value, memoryview | bytes) else value for value in values
    )
