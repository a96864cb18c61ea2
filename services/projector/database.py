"""Prepares a group's schema: its event ledger and its projections' tables.

What all groups share (checkpoints, dead letters, holds, keys …) is in the schema `hitotsu` and is
created by the migrations of `services.state`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from projections.core.fold import Group
from projections.core.sql import LEDGER
from schemas.topics import TOPICS
from services.projector.progress import VersionChanged as VersionChanged
from services.projector.progress import prepare_projections
from services.projector.table_columns import ColumnsDiffer as ColumnsDiffer
from services.state.migrate import LOCK, migrate


def prepare(dsn: str, group: Group) -> frozenset[str]:
    """Creates what is missing. Idempotent, and safe to run from several processes at once.

    Returns the projections that are being built: their tables lag behind the group, and the live
    projector must not fold them. Raises VersionChanged when a projection's tables are newer than
    the code, ColumnsDiffer when a table's columns contradict the declaration, MigrationError as
    `migrate` does. The shared tables are committed by then.
    """
    with _locked(dsn) as connection:
        _prepare_shared(connection)
        with connection.transaction():
            schema = sql.Identifier(group.name)
            connection.execute(sql.SQL("create schema if not exists {}").format(schema))
            connection.execute(sql.SQL("set local search_path = {}, hitotsu").format(schema))
            connection.execute(LEDGER)
            return prepare_projections(connection, group)


def prepare_shared(dsn: str) -> None:
    """Applies the migrations, and assigns numbers to topics.

    Raises MigrationError.
    """
    with _locked(dsn) as connection:
        _prepare_shared(connection)


@contextmanager
def _locked(dsn: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        # two processes that start at once would otherwise race for the same catalogue rows
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
    """The small integers by which ledgers reference topics."""
    rows = connection.execute("select name, no from hitotsu.topic").fetchall()
    return {str(name): int(str(no)) for name, no in rows}
