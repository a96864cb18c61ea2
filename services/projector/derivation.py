"""Computes which rows of a derived table change: its scope finds the nodes, its function the rows.

Two transactions that concern the same nodes must see each other's rows. So this step takes an
advisory lock that is held until the commit. To keep that short, derived tables are stored last, in
order of name with the other tables whose rows many partitions change.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from threading import Event
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.rows import TupleRow

from projections.core.derivation import Ask, Derivation
from projections.core.sql import quoted
from projections.core.tables import RowKey
from services.projector.derivation_process import decided_on_all, differing
from services.runtime.arrays import Array, array

Connection = psycopg.Connection[TupleRow]
Rows = dict[RowKey, list[Any]]
# Computing more nodes than this may take longer than the usual timeouts of a transaction allow. A
# transaction that runs into a timeout would be repeated for ever.
LARGE = 1_000
PATIENT = (
    "set local statement_timeout = '10min'; set local idle_in_transaction_session_timeout = '10min'"
)


def before_erasure(connection: Connection, table: Derivation, erased: list[bytes]) -> set[bytes]:
    """The nodes whose rows may change when the nodes `erased` are erased."""
    if not erased:
        return set()
    ask = _asking(connection)
    return table.scope.before_erasure(ask, table.scope.shared(ask), erased)


def derive(
    connection: Connection,
    table: Derivation,
    touched: set[bytes],
    changed: Collection[RowKey] = (),
    busy: Event | None = None,
) -> Generator[Rows]:
    """Yields the rows that change because of the nodes `touched`, or of inputs without nodes.

    `changed`: the keys of changed rows of inputs without nodes. Yields nothing, one part, or many
    parts if all nodes are computed; the caller has to store a part before it takes the next.
    `busy` is set while this waits for the lock, and when so many nodes are computed that it may
    take long; the caller clears it.
    """
    if not (touched or changed):
        return
    busy = busy or Event()
    busy.set()
    connection.execute(
        "select pg_advisory_xact_lock(7, hashtext(current_schema() || '.' || %s))", [table.name]
    )
    ask = _asking(connection)
    shared = table.scope.shared(ask)
    if table.scope.everything(shared, changed):
        connection.execute(PATIENT)
        with closing(decided_on_all(connection, table, shared)) as parts:
            for part in parts:
                yield {(node,): list(values) for node, values in part}
        return
    busy.clear()
    if not touched:
        return
    reach = table.scope.reach(ask, shared, touched)
    if len(reach.nodes) > LARGE:
        busy.set()
        connection.execute(PATIENT)
    nodes = array("uuid", reach.nodes)
    known = {**_known(connection, table, nodes), **shared, **reach.more}
    rows = _changed(connection, table, known, nodes)
    # rows may also concern nodes outside the reach, whose inputs were not all read: left out
    yield {key: row for key, row in rows.items() if key[0] in reach.nodes}


def _asking(connection: Connection) -> Ask:
    cursor = _bytes(connection)

    def ask(statement: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        # not prepared: a generic plan would not look the nodes up by a hash
        prepare = False if values else None
        return cursor.execute(statement.encode(), values, prepare=prepare).fetchall()

    return ask


def _known(connection: Connection, table: Derivation, nodes: Array) -> dict[str, list[TupleRow]]:
    """By name of an input with nodes: its rows of these nodes."""
    return {
        name: list(_selected(connection, one.table.name, one.columns, nodes))
        for name, one in table.node_inputs.items()
    }


def _changed(
    connection: Connection, table: Derivation, known: Mapping[str, object], nodes: Array
) -> Rows:
    """The computed rows of these nodes that differ from the stored ones."""
    decided = table.decide(**known)
    columns = (*table.keys, *table.values)
    held = {row[0]: row[1:] for row in _selected(connection, table.name, columns, nodes)}
    return {(node,): list(row) for node, row in differing(decided, held)}


def _selected(
    connection: Connection, name: str, columns: Iterable[str], nodes: Array
) -> Iterator[TupleRow]:
    """The rows of these nodes; the first of `columns` has the node."""
    node, *_ = listed = [quoted(column) for column in columns]
    statement = f"select {', '.join(listed)} from {quoted(name)} where {node} = any(%s::uuid[])"
    yield from _bytes(connection).execute(statement.encode(), [nodes])


def _bytes(connection: Connection) -> psycopg.Cursor[TupleRow]:
    """A cursor that returns ids as 16 bytes."""
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader("uuid", _UuidBytes)
    return cursor


class _UuidBytes(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)
