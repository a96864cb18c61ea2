"""Reads checkpoints and tables of Postgres in one repeatable-read snapshot.

It holds ACCESS SHARE locks, so that no rebuild replaces the tables meanwhile; writes go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow

from projections.core.sql import quoted
from projections.core.tables import StoredTable
from services.runtime.db import conninfo
from services.verify.columns import ColumnOrder
from services.verify.log import Place

Count = dict[str, int]
COUNTED = ("next_offset", "applied", "duplicate", "conflict", "dead_letter")
CHECKPOINTS = (
    f"select topic, partition, {', '.join(COUNTED)}, documents_from from checkpoint where grp = %s"
    " order by topic, partition"
)
LEDGER = (
    'select uuid_send(event_id), hash, schema_id, topic, partition, "offset", uuid_send(document),'
    " content from ledger where event_id = any(%s::uuid[])"
)
DOCUMENTS = (
    'select uuid_send(document), uuid_send(event_id), content, topic, partition, "offset"'
    " from ledger where document = any(%s::uuid[])"
)
COPIES = (
    'select uuid_send(event_id), hash, schema_id, topic, partition, "offset",'
    " uuid_send(duplicate_of), uuid_send(subject) from duplicate_document"
    " where event_id = any(%s::uuid[])"
)
LETTERS = (
    'select topic, partition, "offset", stage, record_key, record_value, status from dead_letter'
    " where %s = any(grps)"
)
# dead letters of single projections, which list `group/projection`
LEFT_OUT = (
    'select topic, partition, "offset", stage, grp from dead_letter, unnest(grps) grp'
    " where starts_with(grp, %s)"
)


@dataclass(frozen=True, slots=True)
class AppliedRecord:
    """The row of an event id in the event ledger: the applied record, and the hash of its body.

    `document` and `content` are ignored when two are compared.
    """

    hash: int
    schema_id: int
    place: Place
    offset: int
    document: bytes | None = field(default=None, compare=False)
    content: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DocumentOwner:
    """The applied record that reported a document first.

    `content`: the hash of the document's content; None: unknown, since it was not read yet.
    """

    event_id: bytes
    content: int | None
    place: Place
    offset: int


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """A copy: a record that reported the same document as the event `duplicate_of` before it.

    `profile_id`: the profile that it names; None if it names none.
    """

    hash: int
    schema_id: int
    place: Place
    offset: int
    duplicate_of: bytes
    profile_id: bytes | None

    def plain(self) -> dict[str, Any]:
        """The copy as JSON values."""
        return {
            "record": f"{self.place[0]}-{self.place[1]}@{self.offset}",
            "hash": self.hash,
            "schema_id": self.schema_id,
            "duplicate_of": str(UUID(bytes=self.duplicate_of)),
            "profile_id": self.profile_id and str(UUID(bytes=self.profile_id)),
        }


class VerifySnapshot:
    """A read-only transaction on the tables of `group`.

    Close it soon: while it is open, vacuum cannot remove dead rows.
    """

    def __init__(self, dsn: str, group: str, tables: Iterable[StoredTable]) -> None:
        info = conninfo(dsn, group=group, name="hitotsu-verify")
        self._connection: psycopg.Connection[TupleRow] = psycopg.connect(info, autocommit=True)
        self._connection.execute("begin isolation level repeatable read read only")
        locked = ["ledger", "duplicate_document", *(t.name for t in tables)]
        names = ", ".join(map(quoted, locked))
        self._connection.execute(f"lock table {names} in access share mode".encode())
        rows = self._connection.execute(CHECKPOINTS, [group]).fetchall()
        self.counts: dict[Place, Count] = {
            (row[0], row[1]): dict(zip(COUNTED, row[2:-1], strict=True)) for row in rows
        }
        self.documents_from: dict[Place, int] = {(row[0], row[1]): row[-1] for row in rows}
        numbers = self._connection.execute("select name, no from topic").fetchall()
        self.topics: dict[str, int] = dict(numbers)
        self._names = {no: name for name, no in self.topics.items()}
        versions = self._connection.execute(
            "select projection, version from projection_version where grp = %s", [group]
        )
        self.versions: dict[str, int] = dict(versions.fetchall())
        letters = self._connection.execute(LETTERS, [group]).fetchall()
        self.letters = {((row[0], row[1]), row[2]): (row[3], row[4], row[5]) for row in letters}
        # dead letters that somebody has retried or dropped
        self.resolved = {((row[0], row[1]), row[2]) for row in letters if row[6] != "open"}
        # by record: the projections that skip it, with the stage that refused it
        self.left_out: dict[tuple[Place, int], dict[str, str]] = {}
        for row in self._connection.execute(LEFT_OUT, [f"{group}/"]).fetchall():
            listed = self.left_out.setdefault(((row[0], row[1]), row[2]), {})
            listed[row[4].partition("/")[2]] = row[3]
        building = self._connection.execute(
            "select projection from projection_building where grp = %s", [group]
        )
        self.building = {row[0] for row in building.fetchall()}
        self._cursors = 0

    def close(self) -> None:
        """Ends the transaction."""
        self._connection.close()

    def ledger(self, ids: Iterable[bytes]) -> dict[bytes, AppliedRecord]:
        """The event ledger's rows of these event ids, by id; without ids that it does not have."""
        rows = self._asked(LEDGER, ids)
        return {
            row[0]: AppliedRecord(row[1], row[2], (self._names[row[3]], row[4]), *row[5:])
            for row in rows
        }

    def documents(self, keys: Iterable[bytes]) -> dict[bytes, DocumentOwner]:
        """The first records of these documents, by document."""
        rows = self._asked(DOCUMENTS, keys)
        return {
            row[0]: DocumentOwner(row[1], row[2], (self._names[row[3]], row[4]), row[5])
            for row in rows
        }

    def copies(self, ids: Iterable[bytes]) -> dict[bytes, CopyRecord]:
        """The copies among these event ids, by event id."""
        rows = self._asked(COPIES, ids)
        return {
            row[0]: CopyRecord(row[1], row[2], (self._names[row[3]], row[4]), *row[5:])
            for row in rows
        }

    def copies_size(self) -> dict[Place, int]:
        """Number of copies, by partition."""
        rows = self._connection.execute(
            "select topic, partition, count(*) from duplicate_document group by 1, 2"
        )
        return {(self._names[topic], partition): many for topic, partition, many in rows}

    def ledger_size(self, topics: Iterable[str]) -> dict[Place, int]:
        """Number of rows in the event ledger, by partition of these topics."""
        numbers = [self.topics[name] for name in topics]
        rows = self._connection.execute(
            "select topic, partition, count(*) from ledger where topic = any(%s) group by 1, 2",
            [numbers],
        )
        return {(self._names[topic], partition): many for topic, partition, many in rows}

    def ledger_ids(self, topics: Iterable[str]) -> Iterator[tuple[bytes, Place, int]]:
        """Event id, partition and offset of every row of the event ledger, of these topics."""
        numbers = [self.topics[name] for name in topics]
        rows = self._streamed(
            'select uuid_send(event_id), topic, partition, "offset" from ledger'
            " where topic = any(%s)",
            [numbers],
        )
        for event_id, topic, partition, offset in rows:
            yield event_id, (self._names[topic], partition), offset

    def of_events(self, shape: ColumnOrder, ids: Iterable[bytes]) -> dict[tuple[Any, ...], Any]:
        """The rows of these events in a projection's ledger, by key.

        It uses a join: without an index on the event id, a condition `= any(list)` would compare
        every row with every id of the list.
        """
        statement = (
            f"select {shape.selected} from {quoted(shape.table.name)}"
            " join unnest(%s::uuid[]) as asked(id) on event_id = asked.id"
        )
        rows = map(shape.read, self._asked(statement, ids))
        return {row[: shape.keys]: row for row in rows}

    def count(self, table: StoredTable) -> int:
        """Number of rows of a table."""
        row = self._connection.execute(
            f"select count(*) from {quoted(table.name)}".encode()
        ).fetchone()
        return int(row[0]) if row else 0

    def rows(self, shape: ColumnOrder) -> Iterator[tuple[Any, ...]]:
        """Every row of a table."""
        statement = f"select {shape.selected} from {quoted(shape.table.name)}"
        return map(shape.read, self._streamed(statement, []))

    def unforgotten(self, shape: ColumnOrder, erased: Iterable[bytes]) -> list[tuple[Any, ...]]:
        """Rows of erased subjects in which a personal column is not null."""
        table = shape.table
        some = " or ".join(f"{quoted(name)} is not null" for name in table.personal)
        statement = (
            f"select {shape.selected} from {quoted(table.name)}"
            f" where {quoted(table.subject or '')} = any(%s::uuid[]) and ({some})"
        )
        return [shape.read(row) for row in self._asked(statement, erased)]

    def _asked(self, statement: str, ids: Iterable[bytes]) -> list[TupleRow]:
        listed = "{" + ",".join(map(bytes.hex, ids)) + "}"
        with self._connection.cursor(binary=True) as cursor:
            return cursor.execute(statement.encode(), [listed]).fetchall()

    def _streamed(self, statement: str, values: list[Any]) -> Iterator[TupleRow]:
        self._cursors += 1
        with self._connection.cursor(name=f"verify_{self._cursors}") as cursor:
            cursor.itersize = 5_000
            cursor.execute(statement.encode(), values, binary=True)
            yield from cursor


def ends(counts: Mapping[Place, Count]) -> dict[Place, int]:
    """The next offset to apply, by partition."""
    return {place: count["next_offset"] for place, count in counts.items()}
