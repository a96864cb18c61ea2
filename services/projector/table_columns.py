"""Compares the columns of a table in Postgres with its declaration, and adds missing columns.

A column of another type, or an undeclared NOT NULL column, is an error: the projector's inserts
would fail or store something else.
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
# a column that no projection declares; all tables except ledgers have it
ROW_VERSION = "row_version"
COLUMNS = """
select attname::text, format_type(atttypid, atttypmod), attnotnull from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
"""
TYPE = "select format_type(%s::regtype, -1)"


class ColumnsDiffer(Exception):
    """A column in Postgres contradicts its declaration; the text names the column."""


@dataclass(frozen=True, slots=True)
class PresentColumn:
    """Type and nullability of a column in Postgres."""

    type: str
    not_null: bool


def stored_columns(connection: Connection, table: StoredTable) -> dict[str, PresentColumn]:
    """The columns of the table in Postgres, by name; empty if the table does not exist."""
    rows = connection.execute(COLUMNS, [quoted(table.name)]).fetchall()
    return {str(name): PresentColumn(str(type_), bool(not_null)) for name, type_, not_null in rows}


def missing(table: StoredTable, columns: Mapping[str, PresentColumn]) -> list[Stored]:
    """The declared columns that are not among `columns`."""
    return [part for part in table.stored if part.name not in columns]


def add(connection: Connection, table: StoredTable, parts: list[Stored]) -> None:
    """Adds columns; existing rows get the declared default, or null."""
    for part in parts:
        statement = f"alter table {quoted(table.name)} add column if not exists {column_ddl(part)}"
        connection.execute(statement.encode())


def check(connection: Connection, table: StoredTable, columns: Mapping[str, PresentColumn]) -> None:
    """Raises ColumnsDiffer for the first of `columns` that contradicts the declaration."""
    declared = {part.name: part for part in table.stored}
    for name, column in columns.items():
        where = f"column {name} of table {table.name}"
        if name not in declared:
            engine_column = name == ROW_VERSION and not isinstance(table, Ledger)
            if column.not_null and not engine_column:
                raise ColumnsDiffer(
                    f"{where} is NOT NULL in Postgres, but the projection {table.projection} does"
                    " not declare it: drop the column, or raise the projection's version"
                )
            continue
        ((wanted,),) = connection.execute(TYPE, [declared[name].type]).fetchall()
        if column.type != wanted:
            raise ColumnsDiffer(
                f"{where} has type {column.type} in Postgres, but the projection"
                f" {table.projection} declares {wanted}: raise the projection's version"
            )
