"""The shadow schema of a rebuild, with its own positions.

Rows and positions are stored in one transaction, so an interrupted rebuild continues where it was.
Another set of projections, a raised version or other columns start from offset 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import psycopg
from psycopg.rows import TupleRow

from projections.core.fold import Folded, Group
from projections.core.sql import ddl, quoted
from services.projector.store import Store
from services.runtime.db import TRY_LOCK, conninfo
from services.verify.log import Place

Connection = psycopg.Connection[TupleRow]
OWN = """
create table erased_subject (subject uuid primary key);
create table rebuilt (projection text primary key, version int not null, shape text not null);
create table progress (
    topic text not null, partition int not null, next_offset bigint not null,
    primary key (topic, partition)
);
"""
ADVANCE = """
insert into progress select * from unnest(%s::text[], %s::int[], %s::bigint[])
on conflict (topic, partition) do update set next_offset = excluded.next_offset
"""


class UnderWay(Exception):
    """Another rebuild of this group is running."""


class Shadow:
    """The tables of some projections of one group, while they are folded."""

    own = OWN

    def __init__(self, dsn: str, live: str, group: Group) -> None:
        self.live, self.group, self.name = live, group, group.name
        info = conninfo(dsn, group=group.name, name="hitotsu-rebuild")
        self.connection: Connection = psycopg.connect(info, autocommit=True)
        # what a crash of the server takes is folded again: positions go with the rows
        self.connection.execute("set synchronous_commit = off")
        self._store = Store(group, views=False)

    def close(self) -> None:
        """Closes the connection, which also releases the advisory lock of the rebuild."""
        self.connection.close()

    def open(self, fresh: bool) -> bool:
        """Creates or reopens the tables; returns whether there was progress to continue from."""
        row = self.connection.execute(TRY_LOCK, [f"hitotsu.rebuild.{self.live}"]).fetchone()
        if row is None or not row[0]:
            raise UnderWay(f"another rebuild of {self.live} is under way")
        if not fresh and self._known() == self._wanted():
            return True
        with self.connection.transaction():
            self.connection.execute(f"drop schema if exists {quoted(self.name)} cascade".encode())
            self.connection.execute(f"create schema {quoted(self.name)}".encode())
            self.connection.execute(self.own.encode())
            for table in self.group.tables:
                self.connection.execute(ddl(table).encode())
            for name, (version, shape) in self._wanted().items():
                self.connection.execute(
                    "insert into rebuilt values (%s, %s, %s)", [name, version, shape]
                )
        return False

    def drop(self) -> None:
        """Drops the schema."""
        self.connection.execute(f"drop schema if exists {quoted(self.name)} cascade".encode())

    def progress(self) -> dict[Place, int]:
        """The offset up to which each partition was folded."""
        rows = self.connection.execute(
            "select topic, partition, next_offset from progress"
        ).fetchall()
        return {(topic, partition): offset for topic, partition, offset in rows}

    def store(self, folded: Folded, positions: Mapping[Place, int]) -> None:
        """Stores rows and positions in one transaction."""
        with self.connection.transaction():
            self._store.write(self.connection, folded)
            self.advance(positions)

    def advance(self, positions: Mapping[Place, int]) -> None:
        """Stores positions, within the transaction that stores their rows."""
        self.connection.execute(ADVANCE, _columns(positions))

    def _known(self) -> dict[str, tuple[int, str]]:
        found = self.connection.execute(
            "select to_regclass(%s)", [f"{quoted(self.name)}.rebuilt"]
        ).fetchone()
        if found is None or found[0] is None:
            return {}
        rows = self.connection.execute("select projection, version, shape from rebuilt").fetchall()
        return {name: (version, shape) for name, version, shape in rows}

    def _wanted(self) -> dict[str, tuple[int, str]]:
        return {
            one.name: (one.version, _shape(self.group, one.name)) for one in self.group.projections
        }


def _shape(group: Group, projection: str) -> str:
    text = "".join(ddl(table) for table in group.tables if table.projection == projection)
    return digest(text)


def digest(text: str) -> str:
    """A short hash that identifies a set of tables."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _columns(positions: Mapping[Place, int]) -> list[list[object]]:
    rows: Iterable[tuple[str, int, int]] = [(*place, end) for place, end in positions.items()]
    return [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
