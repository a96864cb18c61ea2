"""Compares the tables of Postgres with the model, row by row, by a streaming query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from projections.core.columns import span_text
from projections.core.derivation import Derivation
from projections.core.tables import Ledger, RowKey, StoredTable, Table
from services.verify.columns import ColumnOrder
from services.verify.model import TableModel
from services.verify.report import VerifyReport
from services.verify.snapshot import VerifySnapshot


def compare(snapshot: VerifySnapshot, model: TableModel, report: VerifyReport) -> None:
    """Compares every table except ledgers with the model; adds the differences to the report."""
    for table in model.tables:
        if isinstance(table, Ledger):
            continue
        shape = ColumnOrder(table)
        expected = model.derived(table) if isinstance(table, Derivation) else model.rows[table]
        many = _compared(shape, expected, snapshot.rows(shape), model, report)
        report.rows[table.name] = many


def _compared(
    shape: ColumnOrder,
    expected: dict[RowKey, list[Any]],
    rows: Iterable[tuple[Any, ...]],
    model: TableModel,
    report: VerifyReport,
) -> int:
    table, many = shape.table, 0
    missing = set(expected)
    for row in rows:
        many += 1
        key = row[: shape.keys]
        missing.discard(key)
        values = expected.get(key)
        wanted = None if values is None else (*key, *_shown(table, key, values, model))
        if wanted != row:
            report.add(shape.difference(key, wanted, row))
    for key in missing:
        wanted = (*key, *_shown(table, key, expected[key], model))
        report.add(shape.difference(key, wanted, None))
    return many


def _shown(table: StoredTable, key: RowKey, values: list[Any], model: TableModel) -> Iterable[Any]:
    """The values of a model row as Postgres stores them: a level as three columns."""
    for name, value in zip(table.values, values, strict=True):
        kind = table.columns[name].kind
        if kind == "level" and isinstance(table, Table):
            yield model.level(table, key, value)
            yield from value[2:]
        else:
            yield span_text(value) if kind == "spans" else value
