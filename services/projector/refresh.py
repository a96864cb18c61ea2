"""Keeps Redis up to date, in one thread: repairs pending writes first, then writes the batches.

While a repair is due (after a failed write, a lost generation, or the death of another process),
batches are not written one by one: their keys stay in `redis_pending`, and the repair reads the
rows of many batches from Postgres together.
"""

from __future__ import annotations

import json
import math
import queue
import threading
import time
import uuid
from collections.abc import Callable
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow
from redis import Redis
from redis.exceptions import RedisError

from projections.core import sql
from projections.core.tables import StoredTable
from services.projector.progress import under_way
from services.projector.redis_views import (
    GenerationLost,
    RowsMissing,
    ViewWriter,
    generation_key,
    position_key,
)
from services.projector.write_behind import Gathered, Job
from services.runtime.arrays import array
from services.runtime.db import TRY_LOCK, conninfo
from services.runtime.logging import log
from services.runtime.metrics import REDIS_BACKLOG, REDIS_REFILLS, REDIS_WRITES

Connection = psycopg.Connection[TupleRow]
WAITING_ROWS_MAX = 40_000
REPAIRED_AT_ONCE, REPAIRED_BYTES, READ_AT_ONCE = 200, 1 << 20, 2_000
# the oldest rows of redis_pending, up to a number and a size, and how many were looked at
NOTED = """
select id, views, known from (
    select id, views, count(*) over () as known,
        sum(octet_length(views)) over (order by id) - octet_length(views) as before
    from (select id, views from redis_pending where grp = %s order by id limit %s) oldest
) noted where before < %s
"""
OF_A_BATCH = "select views from redis_pending where id = %s"
WAITING = "select count(*) from redis_pending where grp = %s"
COUNTED_EVERY_SECONDS, SWEPT_EVERY_SECONDS = 1.0, 5.0
NAME_GENERATION = """
insert into cache_generation (grp, generation, server) values (%s, %s, %s)
on conflict (grp) do update set generation = excluded.generation, server = excluded.server
"""
ABANDONED = "created_at < now() - interval '10 seconds'"


class Refresher:
    """A thread that keeps Redis equal to the tables of one group in Postgres."""

    def __init__(
        self,
        views: ViewWriter,
        dsn: str,
        owner: UUID,
        strike: Callable[[int], None],
        building: frozenset[str] = frozenset(),
    ) -> None:
        """`strike`: called with the id of a row of `redis_pending` that can be deleted.

        `building`: projections that were being built at the start and are not in the group. Once
        such a projection is built, this process must not fill Redis: its rows would be missing.
        """
        self.views = views
        self._building = building
        self.group = views.group
        self._dsn = dsn
        self._owner = owner
        self._strike = strike
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._rows_waiting = 0
        self._counting = threading.Lock()
        self._owed = threading.Event()
        self._owed.set()
        self._settled = threading.Event()
        self._ending = threading.Event()
        self._generation = ""
        self._failing = False  # the last write to Redis failed
        self._counted_at = -math.inf
        for outcome in ("written", "stale", "failed"):
            REDIS_WRITES.labels(self.group.name, outcome)
        REDIS_REFILLS.labels(self.group.name)
        self._connection: Connection | None = None
        self._tables = {t.name: t for t in self.group.tables if t.view is not None}
        self._thread = threading.Thread(target=self._run, name="redis", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def take(self, job: Job) -> None:
        """Queues a committed batch for writing; if the queue is full, a repair writes it later."""
        # the generation changes if tables are replaced: row versions do not compare across that
        job.generation = self._generation
        with self._counting:
            if self._rows_waiting >= WAITING_ROWS_MAX:
                self._owed.set()
                return
            self._rows_waiting += job.applied.due.size
        self._jobs.put(job)

    def owe(self) -> None:
        """Requests a repair: there may be pending writes of another process."""
        self._owed.set()

    @property
    def settled(self) -> bool:
        """Whether Redis is filled and no repair is due or running, so that batches are written as
        they come.
        """
        # asked in this order: `_settle` unsets `_settled` before it clears `_owed`
        return not self._owed.is_set() and self._settled.is_set() and self._generation != ""

    def stop(self) -> None:
        """Writes the queued batches, unless a repair is due, and ends the thread; waits for at
        most 5 s.
        """
        self._ending.set()
        self._jobs.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        swept, more = time.monotonic(), True
        while more:
            if self._owed.is_set() and not self._ending.is_set():
                self._settle()
            more = self._turn()
            # also under load, when the queue is never empty
            if more and time.monotonic() - swept > SWEPT_EVERY_SECONDS:
                swept = time.monotonic()
                self._look_for_owed()

    def _turn(self) -> bool:
        """Writes queued batches, or waits for one; False when the thread has to end."""
        try:
            job = self._next(0.1 if self._owed.is_set() else 1.0)
        except queue.Empty:
            return True
        gathered = self._gather(job) if job is not None else None
        if gathered is not None:
            self._write(gathered)
        return gathered is not None

    def _next(self, patience: float) -> Job | None:
        """The next batch; None when the thread has to end.

        Raises `queue.Empty` if there is none within `patience` seconds.
        """
        job = self._jobs.get(block=patience > 0, timeout=max(patience, 0.001))
        if job is not None:
            with self._counting:
                self._rows_waiting -= job.applied.due.size
        return job

    def _gather(self, first: Job) -> Gathered | None:
        """Merges batches while the projector is behind, so that rows that change often are written
        once. None when the thread has to end; the batches are written then.
        """
        gathered = Gathered(first)
        while True:
            try:
                job = self._next(gathered.patience())
            except queue.Empty:
                return gathered
            if job is None:
                self._write(gathered)
                return None
            if job.generation != gathered.generation:
                self._write(gathered)
                gathered = Gathered(job)
            else:
                gathered.add(job)

    def _write(self, gathered: Gathered) -> None:
        if self._owed.is_set() or not all(job.applied.due_known for job in gathered.jobs):
            if self._failing:
                self._count_failed(gathered.size)
            self._owed.set()
            return
        try:
            self.views.write(gathered.rows_to_write, gathered.generation or "none", gathered.first)
            self._show_noted(gathered.noted)
            self.views.advance(gathered.positions, gathered.firsts)
        except (RedisError, GenerationLost, RowsMissing, OSError, psycopg.Error) as error:
            log.warning("redis_behind", error=type(error).__name__)
            if isinstance(error, RedisError | OSError):
                self._failing = True
                self._count_failed(gathered.size)
            self._owed.set()
            return
        for note in gathered.noted:
            self._strike(note)
        for job in gathered.jobs:
            if job.applied.pending is not None:
                self._strike(job.applied.pending)
            job.visible()

    def _settle(self) -> None:
        """Repairs all pending writes; refills Redis if it is not usable.

        After a failure the next turn tries again.
        """
        try:
            connection = self._connected()
            self._settled.clear()
            self._owed.clear()
            self._count_waiting(connection)
            if not self._believable(connection):
                self._refill(connection)
            self._repair(connection)
            self._settled.set()
            self._failing = False
        except (RedisError, GenerationLost, OSError) as error:
            if not self._failing:
                log.warning("redis_away", error=type(error).__name__)
            self._failing = self._failing or not isinstance(error, GenerationLost)
            self._owed.set()
            self._ending.wait(0.2)
        except psycopg.Error as error:
            log.warning("postgres_away", error=type(error).__name__)
            REDIS_BACKLOG.labels(self.group.name).set(math.nan)
            self._close()
            self._owed.set()
            self._ending.wait(0.5)

    def _believable(self, connection: Connection) -> bool:
        """Whether Redis has the generation that Postgres names, and is the server that was filled
        with it. A server that refuses INFO counts as the same server.

        Stores the generation in `_generation`, "" if Postgres names none.
        """
        row = connection.execute(
            "select generation::text, server from cache_generation where grp = %s",
            [self.group.name],
        ).fetchone()
        held = self.views.redis.get(generation_key(self.group.name))
        self._generation = row[0] if row else ""
        if row is None or not isinstance(held, bytes) or held.decode() != row[0]:
            return False
        server = self.views.server()
        if row[1] is None and server is not None:
            connection.execute(
                "update cache_generation set server = %s where grp = %s and generation = %s",
                [server, self.group.name, row[0]],
            )
        return row[1] is None or server is None or server == row[1]

    def _count_waiting(self, connection: Connection) -> None:
        """Sets the metric of pending writes, at most once a second."""
        if time.monotonic() - self._counted_at < COUNTED_EVERY_SECONDS:
            return
        self._counted_at = time.monotonic()
        row = connection.execute(WAITING, [self.group.name]).fetchone()
        REDIS_BACKLOG.labels(self.group.name).set(row[0] if row else 0)

    def _count_failed(self, rows: int) -> None:
        REDIS_WRITES.labels(self.group.name, "failed").inc(rows)

    def _repair(self, connection: Connection) -> None:
        """Writes the rows of all pending writes as Postgres has them now, then deletes the pending
        writes.
        """
        while not self._ending.is_set():
            positions = self._checkpoints(connection)
            rows = connection.execute(
                NOTED, [self.group.name, REPAIRED_AT_ONCE, REPAIRED_BYTES]
            ).fetchall()
            known = rows[0][2] if rows else 0
            self._count_waiting(connection)
            self._show_again(connection, [views for _, views, _ in rows])
            connection.execute(
                "delete from redis_pending where id = any(%s)", [[row[0] for row in rows]]
            )
            if len(rows) == known < REPAIRED_AT_ONCE:
                # all rows up to these checkpoints are written by now
                self.views.advance(positions)
                REDIS_BACKLOG.labels(self.group.name).set(0)
                return

    def _show_noted(self, notes: list[int]) -> None:
        """Writes the rows of these rows of `redis_pending`, one at a time to bound memory."""
        for note in notes:
            connection = self._connected()
            for row in connection.execute(OF_A_BATCH, [note]).fetchall():
                self._show_again(connection, list(row))

    def _show_again(self, connection: Connection, noted: list[bytes]) -> None:
        """Writes the rows with these keys (JSON of `redis_pending.views`) as Postgres has them."""
        due: dict[StoredTable, set[str]] = {}
        for views in noted:
            for name, keys in json.loads(views).items():
                if name in self._tables:
                    due.setdefault(self._tables[name], set()).update(keys)
        for table, together in due.items():
            listed = sorted(together)
            for start in range(0, len(listed), READ_AT_ONCE):
                some = array("text", listed[start : start + READ_AT_ONCE])
                rows = connection.execute(sql.view_rows(table).encode(), [some]).fetchall()
                try:
                    self.views.write({table: rows}, self._generation)
                except (RedisError, OSError):
                    self._count_failed(len(rows))
                    raise

    def _refill(self, connection: Connection) -> None:
        """Fills Redis from Postgres, in one process at a time.

        Raises GenerationLost if another process fills it, or this process must not.
        """
        lock = f"hitotsu.refill.{self.group.name}"
        row = connection.execute(TRY_LOCK, [lock]).fetchone()
        if not row or not row[0]:
            raise GenerationLost
        try:
            if self._believable(connection):
                return
            if not self._building <= under_way(connection, self.group.name).keys():
                # a projection was built since the start: without its rows Redis would be wrong
                raise GenerationLost
            self._fill(connection)
        finally:
            connection.execute("select pg_advisory_unlock(hashtext(%s))", [lock])

    def _fill(self, connection: Connection) -> None:
        REDIS_REFILLS.labels(self.group.name).inc()
        started = time.perf_counter()
        redis, server = self.views.redis, self.views.server()
        redis.delete(generation_key(self.group.name), position_key(self.group.name))
        for table in self._tables.values():
            for key in redis.scan_iter(f"h1:{table.name}:*", count=5_000):
                redis.unlink(key)
        positions = self._checkpoints(connection)
        for table in self._tables.values():
            with connection.transaction(), connection.cursor(name="refill") as cursor:
                cursor.execute(sql.view_rows(table, some=False).encode())
                while some := cursor.fetchmany(READ_AT_ONCE):
                    self.views.write({table: some}, "")
        self.views.advance(positions)
        self._generation = str(uuid.uuid4())
        connection.execute(NAME_GENERATION, [self.group.name, self._generation, server])
        redis.set(generation_key(self.group.name), self._generation)
        log.info("redis_filled", seconds=round(time.perf_counter() - started, 3))

    def _checkpoints(self, connection: Connection) -> dict[tuple[str, int], int]:
        rows = connection.execute(
            "select topic, partition, next_offset from checkpoint where grp = %s", [self.group.name]
        ).fetchall()
        return {(topic, partition): offset for topic, partition, offset in rows}

    def _look_for_owed(self) -> None:
        """Requests a repair if pending writes are older than 10 s, because their process died or
        could not write them, or if Redis or Postgres cannot be used.
        """
        try:
            connection = self._connected()
            row = connection.execute(f"{WAITING} and {ABANDONED}", [self.group.name]).fetchone()
            REDIS_BACKLOG.labels(self.group.name).set(row[0] if row else 0)
            if (row and row[0]) or not self._believable(connection):
                self._owed.set()
        except psycopg.Error:
            REDIS_BACKLOG.labels(self.group.name).set(math.nan)
            self._close()
            self._owed.set()
        except (RedisError, OSError):
            self._failing = True
            self._owed.set()

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = psycopg.connect(
                conninfo(self._dsn, group=self.group.name, name="hitotsu-redis"), autocommit=True
            )
            connection.execute("set statement_timeout = '60s'")
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def redis_client(url: str) -> Redis:
    """A Redis client with short timeouts."""
    return Redis.from_url(url, socket_timeout=2, socket_connect_timeout=1)
