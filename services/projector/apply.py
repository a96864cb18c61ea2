"""Applies a batch: rows, event ledger, dead letters and checkpoint in one transaction.

Exactly once: under the lock of the checkpoint row, its `next_offset` must equal the batch's first
offset. The owner's epoch only detects a stale owner earlier.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from projections.core.fold import Group
from services.projector import held_endings
from services.projector.batch import (
    APPLIED,
    DOCUMENT,
    OTHER_CONTENT,
    PARTITIONS_MAX,
    BatchWork,
    Entry,
    Failure,
    Seen,
    Slice,
    Verdict,
)
from services.projector.redis_changes import RedisChanges
from services.projector.store import Connection, Store
from services.runtime.arrays import array, columns

# these rows and no others: who holds other partitions of the same topics is not waited for
LOCK = """
select c.topic, c.partition, c.next_offset, c.epoch, exists (select from duplicate_document)
from checkpoint c
join unnest(%s::text[], %s::int[]) as x(topic, partition)
    on c.topic = x.topic and c.partition = x.partition
where c.grp = %s order by c.topic, c.partition for update of c
"""
ADVANCE = """
update checkpoint c set next_offset = x.ending, applied = c.applied + x.applied,
    duplicate = c.duplicate + x.duplicate, conflict = c.conflict + x.conflict,
    dead_letter = c.dead_letter + x.dead_letter, updated_at = now()
from unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::bigint[], %s::bigint[])
    as x(topic, partition, first, ending, applied, duplicate, conflict, dead_letter)
where c.grp = %s and c.topic = x.topic and c.partition = x.partition and c.next_offset = x.first
"""
DEAD = """
insert into dead_letter (topic, partition, "offset", stage, error_class, reason, event_id,
    record_key, record_value, headers, appended_at, grps)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, to_timestamp(%s / 1000.0), array[%s])
on conflict (topic, partition, "offset") do update
    set grps = (select array_agg(distinct grp) from unnest(dead_letter.grps || excluded.grps) grp)
"""
KNOWN = """
select event_id, hash, schema_id from ledger where event_id = any(%(ids)s::uuid[])
union all
select event_id, hash, schema_id from duplicate_document where event_id = any(%(ids)s::uuid[])
"""
KNOWN_DOCUMENTS = """
select document, content, event_id from ledger where document = any(%s::uuid[])
"""
COPIED = "select from duplicate_document where event_id = any(%s::uuid[]) limit 1"
PENDING = (
    "insert into redis_pending (grp, owner, partitions, views) values (%s, %s, %s, %s) returning id"
)
LATEST_MS = 253_402_300_799_000  # the end of the year 9999; a producer may say any time
_ADVANCED = ("text", "int", *["bigint"] * 6)
Place = tuple[str, int]


class Fenced(Exception):
    """Another owner moved the checkpoint, or records are missing: nothing is applied and the
    process ends.
    """


class AlreadySeen(Exception):
    """Some event ids or documents of the batch are stored already."""


@dataclass(slots=True)
class CommittedBatch:
    """What remains after the commit: rows for Redis, and the positions that they reach.

    `firsts`: the batch's first offsets, which Redis must have reached before.
    """

    due: RedisChanges
    positions: dict[Place, int]
    pending: int | None
    due_known: bool = True
    firsts: dict[Place, int] = field(default_factory=dict)


class Applier:
    """Applies the batches of one group over one connection."""

    def __init__(self, group: Group, owner: UUID, topics: dict[str, int]) -> None:
        self.group = group
        self.owner = owner
        self.topics = topics
        self.store = Store(group)
        self.epochs: dict[Place, int] = {}
        self.written: list[int] = []
        self._topics = {number: name for name, number in topics.items()}

    def apply(self, connection: Connection, work: BatchWork) -> CommittedBatch:
        """Applies the batch in one transaction. A unique violation on the ledger becomes
        `AlreadySeen`.
        """
        edges = _edges(work.slices)
        with connection.transaction():
            has_copies = self._fence(connection, edges)
            self._unknown(connection, work, has_copies)
            try:
                if work.ledger:
                    self.store.ledger(connection, work.ledger)
                if work.copies:
                    self.store.copies(connection, work.copies)
            except psycopg.errors.UniqueViolation as error:
                raise AlreadySeen from error
            due = self.store.write(
                connection, work.folded, lambda keys: self._pending(connection, keys, edges)
            )
            self._end_decisions(connection, work, edges)
            self._bury(connection, work)
            self._advance(connection, work, edges)
            pending = self._note(connection, due, edges)
        positions = {place: end for place, (_, end) in edges.items()}
        firsts = {place: first for place, (first, _) in edges.items()}
        return CommittedBatch(due, positions, pending, firsts=firsts)

    def known(self, connection: Connection, work: BatchWork) -> dict[bytes, Seen]:
        """What is stored of the batch's ids and documents."""
        entries = [entry for one in work.slices for entry in one.entries]
        with connection.transaction():
            ids = [entry.event_id for entry in entries if entry.event_id is not None]
            return _known(connection, ids) | _known_documents(connection, entries)

    @staticmethod
    def _unknown(connection: Connection, work: BatchWork, has_copies: bool) -> None:
        """Raises AlreadySeen if something is stored that no unique violation reports.

        Records that a handler refused and records that contradict a document take no row, and
        copies of a document none in the ledger. Judged again, such a record is a duplicate or a
        conflict of its id. The ids of copies are in a table beside the ledger, which is asked if
        it has any.
        """
        ids = [entry.event_id for entry in work.refused if entry.event_id is not None]
        ids += [row[0] for row in work.copies] + work.contradicting
        if ids and _known(connection, ids):
            raise AlreadySeen
        if work.refused and _known_documents(connection, work.refused):
            raise AlreadySeen
        if has_copies and work.ledger:
            applied = array("uuid", [row[0] for row in work.ledger])
            if connection.execute(COPIED, [applied]).fetchone() is not None:
                raise AlreadySeen

    def committed(self, connection: Connection, work: BatchWork) -> CommittedBatch | None:
        """The result of a batch that was committed although the reply to COMMIT was lost; None if
        it was not.

        A checkpoint with another owner's epoch tells nothing about this batch.
        """
        edges = _edges(work.slices)
        with connection.transaction():
            now, _ = self._offsets(connection, edges)
        for place, (_, end) in edges.items():
            offset, epoch = now.get(place, (0, None))
            if offset < end or epoch != self.epochs.get(place):
                return None
        return CommittedBatch(
            RedisChanges(), {place: end for place, (_, end) in edges.items()}, None, due_known=False
        )

    def _offsets(
        self, connection: Connection, edges: dict[Place, tuple[int, int]]
    ) -> tuple[dict[Place, tuple[int, int]], bool]:
        """Offsets and epochs, locked; and whether a document was ever told again."""
        asked = columns(("text", "int"), edges)
        rows = connection.execute(LOCK, [*asked, self.group.name]).fetchall()
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}, any(row[4] for row in rows)

    def _fence(self, connection: Connection, edges: dict[Place, tuple[int, int]]) -> bool:
        """Whether a document was ever told again, which the same query answers."""
        now, has_copies = self._offsets(connection, edges)
        for place, (first, _) in edges.items():
            offset, epoch = now.get(place, (None, None))
            if offset != first or epoch != self.epochs.get(place):
                raise Fenced(
                    f"{place[0]}-{place[1]}: the checkpoint is at {offset} (epoch {epoch}),"
                    f" the batch begins at {first} (epoch {self.epochs.get(place)})"
                )
        return has_copies

    def _bury(self, connection: Connection, work: BatchWork) -> None:
        """Stores dead letters and conflicts, with their full value, in the same transaction."""
        rows = [
            letter_row(one, entry, failure, self.group.name)
            for one in work.slices
            for entry in one.entries
            if entry.verdict is not APPLIED and (failure := failure_of(entry)) is not None
        ]
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(DEAD, rows)

    def _end_decisions(
        self, connection: Connection, work: BatchWork, edges: dict[Place, tuple[int, int]]
    ) -> None:
        """Ends decisions in the transaction that stores their facts: readers see both or neither.

        Only a group with the projection that declares the held amounts ends any.
        """
        for held, ended in work.folded.ended.items():
            rows = []
            for *named, event_id, source in sorted(ended):
                number, partition = divmod(source, PARTITIONS_MAX)
                topic = self._topics[number]
                rows.append((*named, event_id, partition, edges[topic, partition][1]))
            sent = columns(held_endings.types(held), rows)
            connection.execute(held_endings.statement(held).encode(), sent)

    def _advance(
        self, connection: Connection, work: BatchWork, edges: dict[Place, tuple[int, int]]
    ) -> None:
        counts = work.counts()
        rows = [
            (*place, first, end, *(counts[place][verdict] for verdict in Verdict))
            for place, (first, end) in edges.items()
        ]
        moved = connection.execute(ADVANCE, [*columns(_ADVANCED, rows), self.group.name])
        if moved.rowcount != len(edges):
            raise Fenced(f"locked checkpoints moved: {moved.rowcount} of {len(edges)} were updated")

    def _note(
        self,
        connection: Connection,
        due: RedisChanges,
        edges: dict[Place, tuple[int, int]],
    ) -> int | None:
        """Records which Redis rows are pending, so that a crash between commit and Redis is
        repaired.
        """
        if self.written:
            done = self.written.copy()
            del self.written[: len(done)]  # the very list: another thread appends to it
            connection.execute("delete from redis_pending where id = any(%s)", [done])
        keys = due.keys()
        return None if keys is None else self._pending(connection, keys, edges)

    def _pending(
        self, connection: Connection, keys: bytes, edges: dict[Place, tuple[int, int]]
    ) -> int:
        places = [f"{topic}-{partition}" for topic, partition in edges]
        note = [self.group.name, self.owner, places, keys]
        ((number,),) = connection.execute(PENDING, note).fetchall()
        return int(number)


def _edges(slices: list[Slice]) -> dict[Place, tuple[int, int]]:
    """Per partition, in lock order: the first offset and the offset after the last."""
    edges: dict[Place, tuple[int, int]] = {}
    for one in sorted(slices, key=lambda each: (each.topic, each.partition, each.first)):
        place = (one.topic, one.partition)
        first, end = edges.get(place, (one.first, one.first))
        if end != one.first:
            raise Fenced(f"{one.topic}-{one.partition}: records {end} to {one.first} are missing")
        edges[place] = (first, one.end)
    return edges


def _known(connection: Connection, ids: list[bytes]) -> dict[bytes, Seen]:
    rows = connection.execute(KNOWN, {"ids": array("uuid", ids)}).fetchall()
    return {event_id.bytes: (hash_, schema) for event_id, hash_, schema in rows}


def _known_documents(connection: Connection, entries: list[Entry]) -> dict[bytes, Seen]:
    documents = [entry.document[0] for entry in entries if entry.document is not None]
    if not documents:
        return {}
    rows = connection.execute(KNOWN_DOCUMENTS, [array("uuid", documents)]).fetchall()
    return {DOCUMENT + row[0].bytes: (row[1], row[2].bytes) for row in rows}


def failure_of(entry: Entry) -> Failure | None:
    """Why a record is a dead letter; None when it is not."""
    if entry.verdict is Verdict.CONFLICT:
        if entry.told_before is not None:
            return other_content(entry.told_before)
        return Failure(
            "conflict",
            "SameIdOtherBody",
            "an event with this id and another body was applied before",
        )
    return entry.failure if entry.verdict is Verdict.DEAD else None


def other_content(first: bytes) -> Failure:
    """The failure of an event that tells the document of the event `first` with other content."""
    return Failure(
        "conflict",
        OTHER_CONTENT,
        f"event {UUID(bytes=first)} told the same document with other content before",
    )


def headers_json(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """A record's headers as JSON.

    Characters in names that Postgres' JSON cannot hold are escaped with a backslash.
    """
    return json.dumps(
        [
            [
                name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00"),
                value.hex() if value else None,
            ]
            for name, value in headers
        ]
    )


def letter_row(one: Slice, entry: Entry, failure: Failure, group: str) -> list[Any]:
    """A dead letter as a row, in the column order of `DEAD`."""
    record = entry.record
    event_id = UUID(bytes=entry.event_id) if entry.event_id else None
    return [
        one.topic,
        one.partition,
        record.offset,
        failure.stage,
        failure.error_class,
        failure.reason,
        event_id,
        record.key,
        record.value,
        headers_json(record.headers),
        min(max(record.timestamp, 0), LATEST_MS),
        group,
    ]
