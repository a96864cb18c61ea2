"""The shadow schema of a rebuild: new tables of some projections, and the positions folded so far.

Rows and positions are stored in one transaction, so an interrupted rebuild continues after the last
stored batch. If projections, versions or columns differ from its own, it starts from offset 0.
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
    """The shadow schema of `group`, which has some projections of the live group `live`."""

    own = OWN

    def __init__(self, dsn: str, live: str, group: Group) -> None:
        self.live, self.group, self.name = live, group, group.name
        info = conninfo(dsn, group=group.name, name="hitotsu-rebuild")
        self.connection: Connection = psycopg.connect(info, autocommit=True)
        # rows lost in a crash of the server are folded again: their positions are lost with them
        self.connection.execute("set synchronous_commit = off")
        self._store = Store(group, views=False)

    def close(self) -> None:
        """Closes the connection, which also releases the advisory lock of the rebuild."""
        self.connection.close()

    def open(self, fresh: bool) -> bool:
        """Creates the tables, or reuses those of an interrupted rebuild unless `fresh`.

        Returns whether they are reused. Holds an advisory lock until `close`; raises UnderWay while
        another rebuild holds it.
        """
        row = self.connection.execute(TRY_LOCK, [f"hitotsu.rebuild.{self.live}"]).fetchone()
        if row is None or not row[0]:
            raise UnderWay(f"another rebuild of the group {self.live} is running")
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
        """Drops the schema with all its tables."""
        self.connection.execute(f"drop schema if exists {quoted(self.name)} cascade".encode())

    def progress(self) -> dict[Place, int]:
        """The next offset to fold, by partition; without partitions not folded yet."""
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
        """Stores positions, in the caller's transaction."""
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
    """A hash of DDL text, to tell whether stored tables have the wanted columns."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _columns(positions: Mapping[Place, int]) -> list[list[object]]:
    rows: Iterable[tuple[str, int, int]] = [(*place, end) for place, end in positions.items()]
    return [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
