"""Prepares the Postgres schema of a group: its event ledger and the tables of its projections.

Tables that all groups share (checkpoints, dead letters, holds, keys …) are in the schema `hitotsu`;
the migrations of `services.state` create them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from projections.core.fold import Group
from projections.core.sql import LEDGER
from schemas.topics import TOPICS
from services.projector.document_index import prepare_documents
from services.projector.former_tables import drop_former_tables_unless_read
from services.projector.progress import VersionChanged as VersionChanged
from services.projector.progress import prepare_projections
from services.projector.table_columns import ColumnsDiffer as ColumnsDiffer
from services.state.migrate import LOCK, migrate


def prepare(dsn: str, group: Group) -> frozenset[str]:
    """Creates missing schemas and tables; processes that call it at the same time wait for each
    other.

    Returns the names of projections that are being built: the live projector must not fold them.
    Raises VersionChanged if a projection's tables are newer than the code, ColumnsDiffer if a
    column contradicts its declaration, MigrationError as `migrate` does. After the first two, the
    shared tables and the event ledger stay migrated.
    """
    with _locked(dsn) as connection:
        _prepare_shared(connection)
        with connection.transaction():
            schema = sql.Identifier(group.name)
            connection.execute(sql.SQL("create schema if not exists {}").format(schema))
            connection.execute(sql.SQL("set local search_path = {}, hitotsu").format(schema))
            connection.execute(LEDGER)
        prepare_documents(connection, group.name)
        with connection.transaction():
            connection.execute(sql.SQL("set local search_path = {}, hitotsu").format(schema))
            building = prepare_projections(connection, group)
        complete = [one for one in group.projections if one.name not in building]
        drop_former_tables_unless_read(connection, group.name, complete)
        return building


def prepare_shared(dsn: str) -> None:
    """Applies the migrations of shared tables, and gives topics numbers. Raises MigrationError."""
    with _locked(dsn) as connection:
        _prepare_shared(connection)


@contextmanager
def _locked(dsn: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        # processes that start together would create the same tables: DDL under an advisory lock
        connection.execute(LOCK)
        yield connection
        connection.execute("select pg_advisory_unlock_all()")


def _prepare_shared(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    migrate(connection)
    with connection.transaction():
        for name in TOPICS:
            connection.execute(
                "insert into hitotsu.topic (name) values (%s) on conflict do nothing", [name]
            )


def topic_numbers(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, int]:
    """The numbers of topics in ledgers, by name."""
    rows = connection.execute("select name, no from hitotsu.topic").fetchall()
    return {str(name): int(str(no)) for name, no in rows}
