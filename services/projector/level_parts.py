"""Computes levels again that are read in parts, when a setting of theirs changes.

Readings and changes of a level concern one row, which the merge locks. A setting concerns many
levels, whose readings may be stored by other transactions at the same time. So a transaction that
stores readings of parts takes a lock that it shares with others of its kind, and one that stores
settings takes it alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg.rows import TupleRow

from projections.core import sql, wire
from projections.core.fold import Folded, Group
from projections.core.level_parts import LevelParts
from projections.core.tables import RowKey, Table
from services.runtime.arrays import array

Connection = psycopg.Connection[TupleRow]
Levels = dict[Table, list[RowKey]]
SHARED = "select pg_advisory_xact_lock_shared(8, hashtext(current_schema() || '.' || %s))"
ALONE = "select pg_advisory_xact_lock(8, hashtext(current_schema() || '.' || %s))"


class PartsStore:
    """Compiled statements about the levels of a group that are read in parts."""

    def __init__(self, group: Group) -> None:
        self._parts = [table.parts for table in group.changes if table.parts is not None]
        self._recounts = {
            table: sql.recount(table, changes, raised=True)
            for table, changes in group.changes.items()
            if table.parts is not None
        }
        # a row of the ledger: event, number, then the values
        self._at = {
            parts.readings: 2 + parts.readings.values.index(parts.named[2]) for parts in self._parts
        }

    def lock(self, connection: Connection, folded: Folded) -> Levels:
        """Takes the locks that a batch needs; returns the levels that depend on its settings.

        Their rows are locked before those of the batch itself, all in key order.
        """
        found: Levels = {}
        for parts in self._parts:
            if parts.settings in folded.rows:
                connection.execute(ALONE, [parts.table.name])
                found[parts.table] = self._concerned(connection, parts, folded)
                both = {*found[parts.table], *folded.rows.get(parts.table, ())}
                if both:
                    statement = sql.lock_rows(parts.table)
                    connection.execute(statement, wire.key_columns(parts.table, sorted(both)))
            else:
                part = self._at[parts.readings]
                if any(row[part] is not None for row in folded.appended.get(parts.readings, ())):
                    connection.execute(SHARED, [parts.table.name])
        return found

    def recount(
        self, connection: Connection, levels: Levels
    ) -> Iterator[tuple[Table, list[TupleRow]]]:
        """Computes these levels again, once everything else is stored; returns the view's rows."""
        for table, keys in levels.items():
            if keys:
                sent = wire.key_columns(table, keys)
                yield table, connection.execute(self._recounts[table], sent).fetchall()

    def _concerned(self, connection: Connection, parts: LevelParts, folded: Folded) -> list[RowKey]:
        changed = {key[0] for key in folded.rows[parts.settings]}
        type_ = parts.table.columns[parts.by].type
        rows = connection.execute(sql.read_in_parts(parts), [array(type_, sorted(changed))])
        # levels that the batch itself reads are computed when their readings are stored
        return sorted(tuple(row) for row in rows.fetchall())
