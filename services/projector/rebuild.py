"""How is a group folded anew from offset 0, and put in the live one's place?

The shadow is a group of its own: same declarations, own schema, own checkpoints. It catches up
beside the live one; then, while the live checkpoints are locked, it takes the last few records,
is compared, and the two schemas change names in that one transaction.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from psycopg.rows import TupleRow
from redis.exceptions import RedisError

from projections.core.fold import Group
from projections.core.sql import quoted, visible
from services.projector.app import CLAIM
from services.projector.batch import Recent, Slice, Work, decoded
from services.projector.database import prepare
from services.projector.refresh import redis_client
from services.projector.views import generation_key
from services.projector.writer import Writer
from services.runtime.config import Settings
from services.runtime.db import conninfo

Place = tuple[str, int]
CLOSE = 2_000
LIVE = "select topic, partition, next_offset from checkpoint where grp = %s"


@dataclass(slots=True)
class Report:
    """What a rebuild did, and by table how many rows differed from the live ones."""

    events: int = 0
    differences: dict[str, int] = field(default_factory=dict)


class Rebuild:
    """Folds one group anew and swaps it in."""

    def __init__(self, settings: Settings, live: Group) -> None:
        self.live = live
        self.shadow = Group(f"{live.name}_rebuild", live.projections)
        self._settings = settings
        self._offsets: dict[Place, int] = {}
        self.report = Report()

    async def run(self, progress: Callable[[int, int], None]) -> Report:
        """Catches up, compares and swaps; `progress` is told events done and to do."""
        self._clean()
        prepare(self._settings.postgres, self.shadow)
        recent = Recent()
        writer = Writer(
            self._settings.postgres,
            self.shadow,
            uuid4(),
            recent,
            threading.RLock(),
            lambda work: True,
        )
        async with self._consumer() as consumer:
            self._claim(writer, consumer, sorted(await self._ends()))
            while (left := self._left(await self._ends())) > CLOSE:
                await self._fold(consumer, writer, recent)
                progress(self.report.events, self.report.events + left)
            await self._swap(consumer, writer, recent)
            progress(self.report.events, self.report.events)
        return self.report

    def _clean(self) -> None:
        """An earlier rebuild that was ended half way leaves nothing behind."""
        with psycopg.connect(self._settings.postgres, autocommit=True) as connection:
            connection.execute(f"drop schema if exists {quoted(self.shadow.name)} cascade".encode())
            if connection.execute("select to_regclass('hitotsu.checkpoint')").fetchone() == (None,):
                return
            for table in ("checkpoint", "redis_pending", "projection_version"):
                connection.execute(
                    f"delete from hitotsu.{table} where grp = %s".encode(), [self.shadow.name]
                )

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka,
            enable_auto_commit=False,
            auto_offset_reset="none",
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    def _claim(self, writer: Writer, consumer: AIOKafkaConsumer, places: list[Place]) -> None:
        with self._connect(self.shadow.name) as connection:
            rows = connection.execute(
                CLAIM,
                {
                    "grp": self.shadow.name,
                    "owner": writer.owner,
                    "topics": [t for t, _ in places],
                    "partitions": [p for _, p in places],
                },
            ).fetchall()
        writer.applier.epochs = {(topic, partition): epoch for topic, partition, _, epoch in rows}
        self._offsets = {(topic, partition): offset for topic, partition, offset, _ in rows}
        tops = [TopicPartition(*place) for place in places]
        consumer.assign(tops)
        for top in tops:
            consumer.seek(top, 0)

    async def _ends(self) -> dict[Place, int]:
        with self._connect(self.live.name) as connection:
            return {
                (t, p): offset
                for t, p, offset in connection.execute(LIVE, [self.live.name]).fetchall()
            }

    def _left(self, ends: dict[Place, int]) -> int:
        return sum(max(0, end - self._offsets.get(place, 0)) for place, end in ends.items())

    async def _fold(
        self,
        consumer: AIOKafkaConsumer,
        writer: Writer,
        recent: Recent,
        until: dict[Place, int] | None = None,
    ) -> None:
        """One fetch; with `until`, no record at or past it."""
        fetched = await consumer.getmany(timeout_ms=500, max_records=10_000)
        for top, records in fetched.items():
            place = (top.topic, top.partition)
            wanted = [
                record
                for record in records
                if record.offset >= self._offsets[place]
                and (until is None or record.offset < until[place])
            ]
            if not wanted:
                continue
            work = Work()
            one = Slice(top.topic, top.partition, wanted[0].offset, decoded(wanted))
            work.add(one, self.shadow, recent, writer.applier.topics)
            for part, applied in writer.apply(work):
                self._offsets.update(applied.positions)
                self.report.events += part.size

    async def _swap(self, consumer: AIOKafkaConsumer, writer: Writer, recent: Recent) -> None:
        live, shadow, old = self.live.name, self.shadow.name, f"{self.live.name}_old"
        with self._connect(live) as connection, connection.transaction():
            # the live projector waits at these locks; nobody fills Redis from the tables that leave
            connection.execute(
                "select pg_advisory_xact_lock(hashtext(%s))", [f"hitotsu.refill.{live}"]
            )
            rows = connection.execute(
                f"{LIVE} order by topic, partition for update".encode(), [live]
            ).fetchall()
            ends = {(topic, partition): offset for topic, partition, offset in rows}
            for place, offset in self._offsets.items():
                consumer.seek(TopicPartition(*place), offset)
            while self._left(ends):
                await self._fold(consumer, writer, recent, ends)
            self._compare(connection)
            connection.execute(f"drop schema if exists {quoted(old)} cascade".encode())
            connection.execute(f"alter schema {quoted(live)} rename to {quoted(old)}".encode())
            connection.execute(f"alter schema {quoted(shadow)} rename to {quoted(live)}".encode())
            connection.execute(
                "update checkpoint live set applied = shadow.applied, duplicate = shadow.duplicate,"
                " conflict = shadow.conflict, dead_letter = shadow.dead_letter"
                " from checkpoint shadow"
                " where live.grp = %s and shadow.grp = %s and live.topic = shadow.topic"
                " and live.partition = shadow.partition",
                [live, shadow],
            )
            for table in ("checkpoint", "redis_pending", "projection_version"):
                connection.execute(f"delete from {table} where grp = %s".encode(), [shadow])
            connection.execute(
                "update dead_letter set grps = array_remove(grps, %s) where %s = any(grps)",
                [shadow, shadow],
            )
            for projection in self.live.projections:
                connection.execute(
                    "update projection_version set version = %s where grp = %s and projection = %s",
                    [projection.version, live, projection.name],
                )
            connection.execute("delete from cache_generation where grp = %s", [live])
            self._forget_redis()
        with self._connect(live) as connection:
            connection.execute(f"drop schema if exists {quoted(old)} cascade".encode())

    def _forget_redis(self) -> None:
        """Row versions begin anew, so what Redis holds counts for nothing from here on."""
        try:
            redis_client(self._settings.redis).delete(generation_key(self.live.name))
        except (RedisError, OSError):
            # a Redis that is away is believed by nobody: Postgres names no generation any more
            return

    def _compare(self, connection: psycopg.Connection[TupleRow]) -> None:
        for table in self.live.tables:
            names = ", ".join(quoted(part.name) for part in visible(table))
            live = f"select {names} from {quoted(self.live.name)}.{quoted(table.name)}"
            shadow = f"select {names} from {quoted(self.shadow.name)}.{quoted(table.name)}"
            row = connection.execute(
                f"select (select count(*) from ({live} except all {shadow}) a)"
                f" + (select count(*) from ({shadow} except all {live}) b)".encode()
            ).fetchone()
            self.report.differences[table.name] = int(str(row[0])) if row else 0

    def _connect(self, group: str) -> psycopg.Connection[TupleRow]:
        info = conninfo(self._settings.postgres, group=group, name="hitotsu-rebuild")
        return psycopg.connect(info, autocommit=True)
