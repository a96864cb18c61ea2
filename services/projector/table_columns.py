"""Compares a table's columns in Postgres with its declaration.

A missing column is added. A column of another type, or a surplus NOT NULL column, cannot be
reconciled: the projector's inserts would fail or store something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from projections.core.columns import Stored
from projections.core.sql import column_ddl, quoted
from projections.core.tables import Ledger, StoredTable

Connection = psycopg.Connection[tuple[Any, ...]]
# the key column of the engine itself, on every table but ledgers
ROW_VERSION = "row_version"
COLUMNS = """
select attname::text, format_type(atttypid, atttypmod), attnotnull from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
"""
TYPE = "select format_type(%s::regtype, -1)"


class ColumnsDiffer(Exception):
    """A column in Postgres contradicts the declaration; the text names it."""


@dataclass(frozen=True, slots=True)
class PresentColumn:
    """A column as Postgres holds it."""

    type: str
    not_null: bool


def stored_columns(connection: Connection, table: StoredTable) -> dict[str, PresentColumn]:
    """The table's columns on the search_path, by name; empty when there is no such table."""
    rows = connection.execute(COLUMNS, [quoted(table.name)]).fetchall()
    return {str(name): PresentColumn(str(type_), bool(not_null)) for name, type_, not_null in rows}


def missing(table: StoredTable, columns: Mapping[str, PresentColumn]) -> list[Stored]:
    """The declared columns that the table does not have."""
    return [part for part in table.stored if part.name not in columns]


def add(connection: Connection, table: StoredTable, parts: list[Stored]) -> None:
    """Adds columns, empty or with the default that their declaration gives them."""
    for part in parts:
        statement = f"alter table {quoted(table.name)} add column if not exists {column_ddl(part)}"
        connection.execute(statement.encode())


def check(connection: Connection, table: StoredTable, columns: Mapping[str, PresentColumn]) -> None:
    """Raises ColumnsDiffer for the first column that contradicts the declaration."""
    declared = {part.name: part for part in table.stored}
    for name, column in columns.items():
        where = f"column {name} of table {table.name}"
        if name not in declared:
            engine_column = name == ROW_VERSION and not isinstance(table, Ledger)
            if column.not_null and not engine_column:
                raise ColumnsDiffer(
                    f"{where} is not null in Postgres, and its projection {table.projection} does"
                    " not declare it: drop the column, or raise the projection's version"
                )
            continue
        ((wanted,),) = connection.execute(TYPE, [declared[name].type]).fetchall()
        if column.type != wanted:
            raise ColumnsDiffer(
                f"{where} has type {column.type} in Postgres, and its projection"
                f" {table.projection} declares {wanted}: raise the projection's version"
            )
