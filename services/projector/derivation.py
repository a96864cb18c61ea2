"""Computes which rows of a derivation change: its scope finds the nodes, its function their rows.

Two transactions that reach the same nodes must see each other's rows, so this step takes an
advisory lock that is held to the commit. A change that concerns every node takes the same lock. To
keep it short, this is the last step of a transaction except for rows that partitions share.
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
# to decide on a million nodes takes longer than a transaction may usually pause; so it may on a
# busy machine for a closed set of some thousands, and a pause that is cut begins all over again
LARGE = 1_000
PATIENT = (
    "set local statement_timeout = '10min'; set local idle_in_transaction_session_timeout = '10min'"
)


def before_erasure(connection: Connection, table: Derivation, erased: list[bytes]) -> set[bytes]:
    """The nodes whose rows may change when these are erased."""
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
    """Rows that change because of the nodes `touched`, or because of inputs without nodes.

    `changed`: the keys of those inputs' rows. One part, or many when every node is computed: each
    has to be stored before the next is taken. `busy` is set while another transaction computes
    every node, and stays set when this one does, or when so many nodes are computed that it may
    take long.
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
    # an input's row that joins nothing leads to nodes of which not everything is known here
    yield {key: row for key, row in rows.items() if key[0] in reach.nodes}


def _asking(connection: Connection) -> Ask:
    cursor = _bytes(connection)

    def ask(statement: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        # not prepared: only a plan of its own looks nodes up by their hashes
        prepare = False if values else None
        return cursor.execute(statement.encode(), values, prepare=prepare).fetchall()

    return ask


def _known(connection: Connection, table: Derivation, nodes: Array) -> dict[str, list[TupleRow]]:
    """The rows of these nodes in each input that has nodes."""
    return {
        name: list(_selected(connection, one.table.name, one.columns, nodes))
        for name, one in table.node_inputs.items()
    }


def _changed(
    connection: Connection, table: Derivation, known: Mapping[str, object], nodes: Array
) -> Rows:
    """The computed rows of these nodes, without those that are stored already."""
    decided = table.decide(**known)
    columns = (*table.keys, *table.values)
    held = {row[0]: row[1:] for row in _selected(connection, table.name, columns, nodes)}
    return {(node,): list(row) for node, row in differing(decided, held)}


def _selected(
    connection: Connection, name: str, columns: Iterable[str], nodes: Array
) -> Iterator[TupleRow]:
    """The rows of some nodes, by the first of the columns."""
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
