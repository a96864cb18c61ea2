"""Stores folded changes in Postgres: one statement per table, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from projections.core import sql, wire
from projections.core.derivation import Derivation
from projections.core.fold import Folded, Group, HandlerFailed
from projections.core.redis_rows import hash_key, shown, view_writer
from projections.core.row_copy import copy_encoder
from projections.core.rows import state_of
from projections.core.tables import Evolution, Ledger, StoredTable, Table
from services.projector.derivation import before_erasure, derive
from services.projector.document_sets import DocumentStore, delete
from services.projector.level_parts import PartsStore
from services.projector.redis_changes import RedisChanges
from services.runtime.arrays import array, columns

Connection = psycopg.Connection[TupleRow]
Note = Callable[[bytes], int]
RECORD_TYPES = ("uuid", "bigint", "int", "smallint", "smallint", "bigint")
COPIES = """
insert into duplicate_document select * from unnest(%s::uuid[], %s::bigint[], %s::int[],
    %s::smallint[], %s::smallint[], %s::bigint[], %s::uuid[], %s::uuid[])
"""
PERSONAL_LOCK, ERASED_LOCK = (
    "select pg_advisory_xact_lock_shared(7, hashtext(current_schema()))",
    "select pg_advisory_xact_lock(7, hashtext(current_schema()))",
)


class Store:
    """Compiled statements of a group's tables; without `views` no Redis changes are returned."""

    def __init__(self, group: Group, views: bool = True) -> None:
        self.group = group
        self._merges: dict[tuple[StoredTable, tuple[str, ...]], str] = {}
        self._loads = {t: sql.load(t) for t in group.tables if isinstance(t, Evolution)}
        self._recounts = {t: sql.recount(t, changes) for t, changes in group.changes.items()}
        self._encoders = {
            t: copy_encoder([part.type for part in t.stored])
            for t in group.tables
            if isinstance(t, Ledger)
        }
        self._views = {
            t: view_writer(t, hash_key(t, group.versions[t.projection], ""))
            for t in group.tables
            if views and isinstance(t, Ledger) and t.view is not None
        }
        self._shows = views
        self._documents = DocumentStore(group, views)
        self._ledger = copy_encoder([*RECORD_TYPES, "uuid", "bigint"])
        self._personal = [t for t in group.tables if t.subject]
        self._parts = PartsStore(group)
        # waits for others who decide on every node, or does so: no sign of being stuck
        self.deriving = Event()

    def ledger(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Inserts the applied events; a unique violation says that some were applied before."""
        self._copy(connection, "ledger", self._ledger(rows))

    def copies(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        """Inserts records that told a document again; a unique violation as above."""
        connection.execute(COPIES, columns((*RECORD_TYPES, "uuid", "uuid"), rows))

    def write(
        self, connection: Connection, folded: Folded, note: Note | None = None
    ) -> RedisChanges:
        """Stores everything; returns the rows that Redis must receive.

        When rows are too many to hold in memory, `note` is called with their keys and returns a
        note's id.
        """
        due = RedisChanges()
        subjects = {t: found for t in self._personal if (found := _subjects(t, folded))}
        if folded.erased or subjects:
            connection.execute(ERASED_LOCK if folded.erased else PERSONAL_LOCK)
        setting = self._parts.lock(connection, folded)
        folded = self._with_derived(connection, folded, due)
        for table in self.group.tables:
            if isinstance(table, Ledger):
                self._append(connection, table, folded, due)
            elif isinstance(table, Table) and table in folded.rows:
                self._merge(connection, table, folded, due)
            elif isinstance(table, Evolution) and table in folded.evolving:
                self._evolve(connection, table, folded, due)
            elif isinstance(table, Derivation):
                touched = _touched(table, folded)
                touched |= before_erasure(connection, table, folded.erased)
                self._forget(connection, subjects, folded.erased, due)
                self._derive(connection, table, touched, folded, due, note)
        for table, rows in self._parts.recount(connection, setting):
            if table.view is not None and self._shows:
                due.tell(table, rows)
        if not any(isinstance(table, Derivation) for table in self.group.tables):
            self._forget(connection, subjects, folded.erased, due)
        return due

    def _with_derived(self, connection: Connection, folded: Folded, due: RedisChanges) -> Folded:
        """Stores the sets of documents; returns the batch with the rows that follow from them.

        The batch itself stays as it is, because it is stored again when the transaction fails.
        """
        if not folded.documents:
            return folded
        derived = self._documents.write(connection, folded, due)
        for ledger, gone in derived.deleted.items():
            delete(connection, ledger, gone)
        rows = dict(folded.rows)
        for table, changed in derived.rows.items():
            for key, values in folded.rows.get(table, {}).items():
                table.fold(changed, key, list(values))
            rows[table] = changed
        appended = dict(folded.appended)
        for ledger, more in derived.appended.items():
            appended[ledger] = [*folded.appended.get(ledger, ()), *more]
        return replace(folded, rows=rows, appended=appended)

    def _copy(self, connection: Connection, name: str, body: bytes) -> None:
        with (
            connection.cursor() as cursor,
            cursor.copy(f"copy {sql.quoted(name)} from stdin (format binary)") as copy,
        ):
            copy.write(body)

    def _append(
        self,
        connection: Connection,
        table: Ledger,
        folded: Folded,
        due: RedisChanges,
    ) -> None:
        rows = folded.appended.get(table)
        if not rows:
            return
        self._copy(connection, table.name, self._encoders[table](rows))
        if table in self._views:
            due.first[table] = self._views[table](rows)

    def _merge(
        self, connection: Connection, table: Table, folded: Folded, due: RedisChanges
    ) -> None:
        rows = folded.rows[table]
        found = self._upsert(connection, table, rows, due if table.level is None else None)
        if table.level is None:
            return
        told = [row[:4] for row in found]
        recount = {row[:2] for row in found if row[4]}
        if recount:
            # the rows are locked by the merge: nobody adds to them until this transaction ends
            keys = wire.key_columns(table, _due_keys(table, rows, recount))
            recounted = connection.execute(self._recounts[table], keys).fetchall()
            told = [row for row in told if row[:2] not in recount] + recounted
        if table.view is not None and self._shows:
            due.tell(table, told)

    def _upsert(
        self,
        connection: Connection,
        table: Table | Evolution | Derivation,
        rows: dict[tuple[Any, ...], list[Any]],
        due: RedisChanges | None,
    ) -> list[TupleRow]:
        names, values = wire.columns(table, rows)
        statement = self._merges.get((table, names))
        if statement is None:
            statement = sql.merge(table, names, self._shows)
            self._merges[table, names] = statement
        cursor = connection.execute(statement, values)
        found = cursor.fetchall() if cursor.description else []
        if due is not None and table.view is not None and self._shows:
            due.tell(table, found)
        return found

    def _evolve(
        self,
        connection: Connection,
        table: Evolution,
        folded: Folded,
        due: RedisChanges,
    ) -> None:
        steps = folded.evolving[table]
        keys = sorted({key for key, _ in steps})
        states: dict[tuple[Any, ...], dict[str, Any]] = {}
        for (text,) in connection.execute(
            self._loads[table], wire.key_columns(table, keys)
        ).fetchall():
            state = state_of(table, text)
            states[tuple(state[name] for name in table.keys)] = state
        for key, event in steps:
            try:
                state = self.group.evolve[table, type(event)](states.get(key), event)
                states[key] = {**state, **dict(zip(table.keys, key, strict=True))}
            except Exception as error:
                raise HandlerFailed(table.projection, event, error) from error
        rows = {key: [state[name] for name in table.values] for key, state in states.items()}
        self._upsert(connection, table, rows, due)

    def _derive(
        self,
        connection: Connection,
        table: Derivation,
        touched: set[bytes],
        folded: Folded,
        due: RedisChanges,
        note: Note | None,
    ) -> None:
        changed = [
            key for one in table.inputs.values() if not one.nodes for key in folded.keys(one.table)
        ]
        try:
            with closing(derive(connection, table, touched, changed, self.deriving)) as parts:
                for number, rows in enumerate(filter(None, parts)):
                    # every node's row may be another: a part of them is held, and no more
                    own = RedisChanges() if number else due
                    self._upsert(connection, table, rows, own)
                    if number and note is not None and (keys := own.keys()):
                        due.noted.append(note(keys))
        finally:
            self.deriving.clear()

    def _forget(
        self,
        connection: Connection,
        subjects: dict[StoredTable, set[bytes]],
        erased: list[bytes],
        due: RedisChanges,
    ) -> None:
        """Erases the personal columns of persons erased now, and of late rows about persons erased
        before.
        """
        if erased:
            ids = array("uuid", erased)
            connection.execute(
                "insert into erased_subject select unnest(%s::uuid[]) on conflict do nothing", [ids]
            )
        everybody = set(erased).union(*subjects.values())
        if not everybody:
            return
        found = connection.execute(
            "select subject from erased_subject where subject = any(%s::uuid[])",
            [array("uuid", everybody)],
        ).fetchall()
        if not found:
            return
        gone = array("uuid", [row[0].bytes for row in found])
        for table in self._personal:
            cursor = connection.execute(sql.forgotten(table).encode(), [gone])
            if cursor.description:
                due.tell(table, cursor.fetchall())


def _due_keys(
    table: Table, rows: dict[tuple[Any, ...], list[Any]], due: set[tuple[str, str]]
) -> list[tuple[Any, ...]]:
    """Converts (hash key, field) texts that the database returned back to the rows' keys."""
    assert table.view is not None
    by = [table.keys.index(name) for name in table.view.by]
    rest = [index for index in range(len(table.keys)) if index not in by]
    types = [table.columns[name].type for name in table.keys]

    def texts(key: tuple[Any, ...]) -> tuple[str, str]:
        said = [str(shown(type, value)) for type, value in zip(types, key, strict=True)]
        return "|".join(said[index] for index in by), "|".join(said[index] for index in rest)

    return sorted(key for key in rows if texts(key) in due)


def _subjects(table: StoredTable, folded: Folded) -> set[bytes]:
    name = table.subject or ""
    if isinstance(table, Ledger):
        index = [part.name for part in table.stored].index(name)
        return {row[index] for row in folded.appended.get(table, ())}
    index = table.keys.index(name)
    if isinstance(table, Evolution):
        return {key[index] for key, _ in folded.evolving.get(table, ())}
    return {key[index] for key in folded.rows.get(table, ())} if isinstance(table, Table) else set()


def _touched(table: Derivation, folded: Folded) -> set[bytes]:
    """The nodes of the input rows that a batch changes, and those erased."""
    touched = set(folded.erased)
    for one in table.node_inputs.values():
        touched |= {node for key in folded.keys(one.table) for node in key[: one.nodes]}
    return touched
