"""Encodes folded rows as parameters of an upsert: one binary array per column.

Lists that the driver adapts would take several times the CPU time.
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
    """Returns the names and arrays of columns, with the rows sorted by key.

    Sorted, so that all writers lock rows in the same order. Columns that no row changes are left
    out.
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
    """Names and arrays of a level's columns: sum of changes, the time from which they count, and if
    there are readings, reading and its time. For rows with a reading a later recount sets the
    value.
    """
    changes, since, readings, read_at = zip(*own, strict=True)
    parts = [(name, changes), (f"{name}_from", since)]
    if any(at is not None for at in read_at):
        parts += [(f"{name}_read", readings), (f"{name}_read_at", read_at)]
    return [(part, array("bigint", values)) for part, values in parts]


def key_columns(table: StoredTable, keys: Iterable[tuple[Any, ...]]) -> list[Array]:
    """One array per key column, of these keys."""
    listed = list(keys)
    return [
        array(table.columns[name].type, [key[i] for key in listed])
        for i, name in enumerate(table.keys)
    ]
