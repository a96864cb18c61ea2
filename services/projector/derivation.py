"""Which rows of a derivation are others after a change? Its scope says whom, its function what.

Two transactions that reach the same nodes must see each other, so deriving takes its turn by a lock
that is held to the commit; a change that concerns every node and what comes in meanwhile see each
other by it too. It is the last thing but shared rows in a transaction.
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
    """The nodes whose rows may change when these lose their own."""
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
    """Rows that are others after a change of the nodes `touched`, or of inputs without nodes.

    `changed`: the keys of those inputs' rows. In one part, but in many where every node is decided
    on: each part is to be stored before the next is taken. `busy` is set while others decide on
    every node, and left set where that is done here, or where so many nodes are decided on that it
    may take long.
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
    """What is decided of these nodes, but for rows that hold it already."""
    decided = table.decide(**known)
    columns = (*table.keys, *table.values)
    held = {row[0]: row[1:] for row in _selected(connection, table.name, columns, nodes)}
    return {(node,): list(row) for node, row in differing(decided, held)}


def _selected(
    connection: Connection, name: str, columns: Iterable[str], nodes: Array
) -> Iterator[TupleRow]:
    """Rows of some nodes, which the first of the columns names."""
    node, *_ = listed = [quoted(column) for column in columns]
    statement = f"select {', '.join(listed)} from {quoted(name)} where {node} = any(%s::uuid[])"
    yield from _bytes(connection).execute(statement.encode(), [nodes])


def _bytes(connection: Connection) -> psycopg.Cursor[TupleRow]:
    """A cursor that gives ids as their 16 bytes."""
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader("uuid", _UuidBytes)
    return cursor


class _UuidBytes(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)
