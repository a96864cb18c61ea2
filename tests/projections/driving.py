"""The engine below a test: its own database, one writer, records as the Kafka client gives them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4
from zlib import crc32

import psycopg
from psycopg.conninfo import make_conninfo

from projections import discover
from projections.core import sql
from projections.core.fold import Group
from projections.core.rows import state_of
from projections.core.tables import StoredTable
from schemas.topics import TOPICS
from schemas.wire import codec
from services.projector.apply import CommittedBatch
from services.projector.batch import BatchWork, Recent, Slice, decoded
from services.projector.database import prepare
from services.projector.writer import Writer
from services.runtime.db import conninfo

Place = tuple[str, int]
OWNER = UUID(int=1)


@dataclass(slots=True)
class Record:
    """What the projector sees of a record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 4_102_444_800_000  # 2100: after all times in events, so that none is capped
    headers: Sequence[tuple[str, bytes]] = ()


def place_of(topic: str, key: bytes | None) -> Place:
    """Any function of the key will do, as long as it stays the same."""
    return topic, crc32(key or b"") % TOPICS[topic].partitions


class Log:
    """Partitions to append to; what was appended since the last batch is the next batch."""

    def __init__(self) -> None:
        self.ends: Counter[Place] = Counter()
        self._new: dict[Place, list[Record]] = {}

    def append(self, event: Any) -> Record:
        """An event under its own key."""
        return self.raw(event.TOPIC, codec.key_of(event), codec.encode(event))

    def raw(self, topic: str, key: bytes | None, value: bytes | None) -> Record:
        """Any bytes under any key."""
        place = place_of(topic, key)
        record = Record(*place, self.ends[place], key, value)
        self.ends[place] += 1
        self._new.setdefault(place, []).append(record)
        return record

    def batch(self) -> dict[Place, list[Record]]:
        """What came since, by partition."""
        new, self._new = self._new, {}
        return new


class Engine:
    """Writer, tables and checkpoints of one group in a database of its own."""

    def __init__(self, servers: Any, group: Group | None = None) -> None:
        self._admin, self.name = servers.postgres, f"test_{uuid4().hex[:12]}"
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(f"create database {self.name}".encode())
            connection.execute(f"alter database {self.name} set synchronous_commit = off".encode())
        self.dsn = make_conninfo(servers.postgres, dbname=self.name)
        self.group = group or Group("main", discover())
        prepare(self.dsn, self.group)
        info = conninfo(self.dsn, group=self.group.name)
        self.connection = psycopg.connect(info, autocommit=True)
        self._writers: list[Writer] = []
        self.writer = self.another(OWNER)
        self.reset()

    def another(self, owner: UUID) -> Writer:
        """One more process' writer."""
        guard = threading.RLock()
        writer = Writer(self.dsn, self.group, owner, Recent(), guard, lambda work: True)
        writer.applier.epochs = dict.fromkeys(places(), 1)
        self._writers.append(writer)
        return writer

    def close(self) -> None:
        self.connection.close()
        for writer in self._writers:
            if writer.connection is not None:
                writer.connection.close()
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(f"drop database if exists {self.name} with (force)".encode())

    def reset(self) -> None:
        """As on the first day."""
        kept = [sql.quoted(table.name) for table in self.group.tables]
        names = [*kept, "ledger", "duplicate_document", "erased_subject", "dead_letter"]
        names += ["redis_pending", "checkpoint"]
        self.connection.execute("; ".join(f"delete from {name}" for name in names).encode())
        self.connection.execute(
            "insert into checkpoint (grp, topic, partition, owner, epoch)"
            " select %s, topic, partition, %s, 1 from unnest(%s::text[], %s::int[])"
            " as t(topic, partition)",
            [self.group.name, OWNER, *map(list, zip(*places(), strict=True))],
        )
        self.writer.recent.clear()

    def work(self, batch: dict[Place, list[Record]], writer: Writer | None = None) -> BatchWork:
        """Records, folded as the pipeline does it."""
        writer = writer or self.writer
        work = BatchWork()
        for (topic, partition), records in batch.items():
            one = Slice(topic, partition, records[0].offset, decoded(records, topic))
            work.add(one, self.group, writer.recent, writer.applier.topics)
        return work

    def apply(self, batch: dict[Place, list[Record]]) -> list[CommittedBatch]:
        """One batch, all the way into Postgres."""
        return [applied for _, applied in self.writer.apply(self.work(batch))] if batch else []

    def tell(self, *events: Any, log: Log | None = None) -> None:
        """Events, in one batch."""
        log = log or Log()
        for event in events:
            log.append(event)
        self.apply(log.batch())

    def source(self, topic: str, partition: int) -> int:
        """The number of a partition among the tables' source partitions."""
        return self.writer.applier.topics[topic] * 10_000 + partition

    def rows(self, table: StoredTable) -> dict[tuple[Any, ...], dict[str, Any]]:
        """A table as it is stored, without what readers do not see."""
        statement = f"select {sql.payload(table)} from {sql.quoted(table.name)} t"
        states = [state_of(table, text) for (text,) in self.connection.execute(statement.encode())]
        return {tuple(state[name] for name in table.keys): state for state in states}

    def counts(self) -> dict[str, int]:
        """What the checkpoints say, in all."""
        row = self.connection.execute(
            "select sum(next_offset)::int, sum(applied)::int, sum(duplicate)::int,"
            " sum(conflict)::int, sum(dead_letter)::int from checkpoint"
        ).fetchone()
        names = ("next_offset", "applied", "duplicate", "conflict", "dead_letter")
        return dict(zip(names, row or (), strict=True))


def places() -> Iterable[Place]:
    """Every partition of every topic."""
    return [(topic.name, number) for topic in TOPICS.values() for number in range(topic.partitions)]
