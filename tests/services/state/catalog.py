"""What is in the schema `hitotsu` of a database, and rows for every table in it."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[Any, ...]]
COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity::text, a.attcollation,
    a.attstorage::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where n.nspname = 'hitotsu' and c.relkind in ('r', 'v')
"""
INDEXES = "select indexname, indexdef from pg_indexes where schemaname = 'hitotsu'"
CONSTRAINTS = """
select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint
where connamespace = 'hitotsu'::regnamespace
"""
VIEWS = "select viewname, definition from pg_views where schemaname = 'hitotsu'"
TABLES = """
select relname from pg_class
where relnamespace = 'hitotsu'::regnamespace and relkind = 'r' order by 1
"""
NEEDED = """
select attname, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped and attnotnull
    and not atthasdef and attidentity = ''
"""
PRESENT = """
select attname from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped
"""
VALUES = {
    "uuid": "00000000-0000-4000-8000-000000000001",
    "text": "x",
    "bytea": b"\1",
    "bigint": 1,
    "integer": 1,
    "smallint": 1,
    "double precision": 1.0,
    "jsonb": "{}",
    "text[]": ["x"],
    "bigint[]": [1],
    "boolean": True,
    "timestamp with time zone": "2026-11-01T00:00:00Z",
    "date": "2026-11-01",
}
# columns that a check asks for, or that a migration looks at
CHOSEN: dict[str, dict[str, Any]] = {
    "subject_key": {"wrapped": b"\1", "kek_id": "x"},
    "api_token": {"scopes": ["events:write", "channel:EC"]},
    "points_sweep": {"single": True},
}
OTHER = "00000000-0000-4000-8000-000000000002"


def catalog(connection: Connection) -> set[tuple[Any, ...]]:
    """Columns, indexes, constraints and views; the order of columns is left out."""
    queries = (COLUMNS, INDEXES, CONSTRAINTS, VIEWS)
    return {row for query in queries for row in connection.execute(query.encode()).fetchall()}


def tables(connection: Connection) -> list[str]:
    """The tables of the schema, by name."""
    return [str(name) for (name,) in connection.execute(TABLES).fetchall()]


def fill(connection: Connection, but: str = "") -> dict[str, list[dict[str, Any]]]:
    """Puts a row into every table but that one; returns the rows by table as they are stored."""
    for table in tables(connection):
        if table == but:
            continue
        place = [f"hitotsu.{table}"]
        present = {name for (name,) in connection.execute(PRESENT, place).fetchall()}
        columns = {
            str(name): OTHER if name == "other_profile_id" else VALUES[str(kind)]
            for name, kind in connection.execute(NEEDED, place).fetchall()
        }
        columns |= {n: v for n, v in CHOSEN.get(table, {}).items() if n in present}
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        holders = sql.SQL(", ").join([sql.Placeholder()] * len(columns))
        insert = sql.SQL("insert into {} ({}) values ({})")
        connection.execute(
            insert.format(sql.Identifier("hitotsu", table), names, holders), [*columns.values()]
        )
    return rows(connection)


def rows(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every table's rows as JSON."""
    select = sql.SQL("select to_jsonb(t) from {} t")
    return {
        table: [
            row for (row,) in connection.execute(select.format(sql.Identifier("hitotsu", table)))
        ]
        for table in tables(connection)
    }
