"""Applies the numbered SQL files of `services/state/migrations`, forward only.

They create the tables of the schema `hitotsu`, except `hitotsu.migration`, which records the
applied files with their checksums. Each file runs in its own transaction: a failed one is rolled
back, and the next run continues there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]
FOLDER = Path(__file__).parent / "migrations"
NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
# a session-level advisory lock: the session that holds it may lock it again
LOCK = "select pg_advisory_lock(hashtext('hitotsu.prepare'))"
UNLOCK = "select pg_advisory_unlock(hashtext('hitotsu.prepare'))"
RECORDED = "select number, name, checksum, applied_at from hitotsu.migration order by number"
RECORDS = """
create schema if not exists hitotsu;
create table if not exists hitotsu.migration (
    number int primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
);
"""
# services may be running: a migration gives up before statements queue behind it for long
LOCK_TIMEOUT = "set local lock_timeout = '20s'"


class MigrationError(Exception):
    """A file has a wrong name, files and database do not match, or a file cannot be applied."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `0003_decisions.sql` has number 3 and name `0003_decisions`."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text with line ends as \\n, so that it does not depend on the checkout."""
        return sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A row of `hitotsu.migration`: a migration that was applied to the database."""

    number: int
    name: str
    checksum: str
    applied_at: datetime


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """The files in order of their numbers.

    Raises MigrationError on a name that is not `NNNN_words.sql` and on numbers that are not 1, 2, 3
    and so on.
    """
    files = []
    for path in sorted(folder.glob("*.sql")):
        match = NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: a migration is named NNNN_words.sql")
        files.append(Migration(int(match[1]), path.stem, path.read_text("utf-8")))
    for expected, file in enumerate(files, 1):
        if file.number != expected:
            raise MigrationError(f"{file.name}: expected number {expected:04}")
    return files


def migrate(connection: Connection, folder: Path = FOLDER) -> list[str]:
    """Applies missing migrations and returns their names. `connection` must be in autocommit mode.

    Processes that run it at the same time wait for each other. Raises MigrationError when an
    applied file has changed since, when the database is newer than the files, and when a statement
    fails; migrations before the failed one stay applied. Raises psycopg.OperationalError for errors
    of the server, such as a lost connection.
    """
    files = migrations(folder)
    connection.execute(LOCK)
    try:
        connection.execute(RECORDS)
        pending = _pending(files, applied(connection))
        for file in pending:
            _apply(connection, file)
    finally:
        if not connection.closed:
            connection.execute(UNLOCK)
    return [file.name for file in pending]


def applied(connection: Connection) -> list[AppliedMigration]:
    """The migrations that were applied to the database, in order of their numbers."""
    return [AppliedMigration(*row) for row in connection.execute(RECORDED).fetchall()]


def _pending(files: Sequence[Migration], recorded: Sequence[AppliedMigration]) -> list[Migration]:
    by_number = {file.number: file for file in files}
    for row in recorded:
        file = by_number.get(row.number)
        if file is None:
            raise MigrationError(
                f"the database has migration {row.name}, which this code does not know:"
                " start the newer code"
            )
        if file.checksum != row.checksum:
            raise MigrationError(
                f"{file.name} was applied on {row.applied_at:%Y-%m-%d} and has changed since:"
                " restore the file, and write the change as a new migration"
            )
    done = {row.number for row in recorded}
    return [file for file in files if file.number not in done]


def _apply(connection: Connection, file: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(LOCK_TIMEOUT)
            connection.execute(file.text.encode())
            connection.execute(
                "insert into hitotsu.migration (number, name, checksum) values (%s, %s, %s)",
                [file.number, file.name, file.checksum],
            )
    except psycopg.errors.LockNotAvailable:
        raise MigrationError(
            f"{file.name} was not applied: another transaction holds a lock on its tables;"
            " run it again"
        ) from None
    except psycopg.OperationalError:
        raise  # such as a lost connection: no fault of the file
    except psycopg.Error as error:
        raise MigrationError(
            f"{file.name} was not applied ({error.sqlstate}): {str(error).splitlines()[0]}"
        ) from error
