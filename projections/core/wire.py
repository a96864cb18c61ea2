"""How do folded rows travel to Postgres? One binary array a column, for the statements that merge.

That is several times cheaper than handing lists to the driver, which is where a batch's client
time would go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from projections.core.arrays import Array, array
from projections.core.columns import unmoved
from projections.core.tables import StoredTable, Table


def columns(
    table: StoredTable, rows: dict[tuple[Any, ...], list[Any]]
) -> tuple[tuple[str, ...], list[Array]]:
    """Folded rows as an array a column, sorted by key: writers lock in one order.

    Gives the columns' names and their arrays; columns that no row moves are left out.
    """
    ordered = sorted(rows)
    names = list(table.keys)
    types = [table.columns[name].type for name in names]
    sent = [array(type, own) for type, own in zip(types, zip(*ordered, strict=True), strict=True)]
    values = zip(*[rows[key] for key in ordered], strict=True)
    for name, own in zip(table.values, values, strict=True):
        column = table.columns[name]
        if column.kind == "level":
            parts = _level(name, own)
        elif isinstance(table, Table) and unmoved(column, own):
            continue
        else:
            parts = [(name, array(column.type, own))]
        for part, own_array in parts:
            names.append(part)
            sent.append(own_array)
    return tuple(names), sent


def _level(name: str, own: Sequence[Any]) -> list[tuple[str, Array]]:
    """A reading's row starts as its changes alone; the recount that follows puts it right."""
    changes, since, readings, read_at = zip(*own, strict=True)
    parts = [(name, changes), (f"{name}_from", since)]
    if any(at is not None for at in read_at):
        parts += [(f"{name}_read", readings), (f"{name}_read_at", read_at)]
    return [(part, array("bigint", values)) for part, values in parts]


def key_columns(table: StoredTable, keys: Iterable[tuple[Any, ...]]) -> list[Array]:
    """Keys as one array a key column."""
    listed = list(keys)
    return [
        array(table.columns[name].type, [key[i] for key in listed])
        for i, name in enumerate(table.keys)
    ]
