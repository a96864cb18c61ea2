"""Replaces live tables by those of a shadow, so that no reader misses rows or sees older ones.

The live checkpoints are locked twice, briefly: to bring both sides to one position for the
comparison, and for the swap. A transaction with a snapshot older than the shadow's last rows would
not see these rows in the swapped tables, so the swap waits until there is no such transaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import TupleRow

from projections.core.projection import Projection
from projections.core.sql import quoted
from services.rebuild.compare import Pair
from services.runtime.db import conninfo
from services.verify.log import Place

Connection = psycopg.Connection[TupleRow]
NOTE_KEYS = 500
OLD_SNAPSHOT_SECONDS = 3.0
AGAIN_SECONDS = 0.5
LIVE = "select topic, partition, next_offset from hitotsu.checkpoint where grp = %s"
# ends an upgrade; it has no list of changes if `hitotsu rebuild` replaced the tables, not the build
END_UPGRADE = """
update hitotsu.upgrade set finished_at = clock_timestamp() where grp = %s and finished_at is null
    and not exists (select from hitotsu.projection_building where grp = %s)
"""
OPEN = """
select pid, xact_start, pg_blocking_pids(pid) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> all(%s::int[])
    and backend_xmin is not null
"""


class SwapBlocked(Exception):
    """Another session is in the way: it holds a lock, fills Redis, or has an old snapshot.

    `Swap.again` retries the step.
    """


class Swap:
    """The connection to the live group during a rebuild; `held` locks the live checkpoints.

    `ours`: the connection to the shadow schema.
    """

    def __init__(self, dsn: str, live: str, ours: Connection) -> None:
        info = conninfo(dsn, group=live, name="hitotsu-rebuild")
        self.connection: Connection = psycopg.connect(info, autocommit=True)
        # if this process freezes while it holds the locks, the live projector must not wait forever
        self.connection.execute("set idle_in_transaction_session_timeout = '10s'")
        self._live, self._ours = live, ours

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()

    def ends(self) -> dict[Place, int]:
        """The live group's positions: next offset to apply, by partition."""
        rows = self.connection.execute(LIVE, [self._live]).fetchall()
        return {(topic, partition): offset for topic, partition, offset in rows}

    def within(self, statement: str, *values: Any) -> list[TupleRow]:
        """Runs a statement in the transaction that locks the checkpoints; returns its rows."""
        cursor = self.connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def topics(self) -> dict[str, int]:
        """The numbers of topics in ledgers, by name."""
        return dict(self.connection.execute("select name, no from hitotsu.topic").fetchall())

    @contextmanager
    def held(self) -> Iterator[dict[Place, int]]:
        """Locks the live checkpoints and yields the positions, which stay the same in the block.

        Raises SwapBlocked if another session holds a lock or fills Redis.
        """
        with self._busy(), self.connection.transaction():
            self.connection.execute("set local lock_timeout = '2s'")
            row = self.connection.execute(
                "select pg_try_advisory_xact_lock(hashtext(%s))", [f"hitotsu.refill.{self._live}"]
            ).fetchone()
            if row is None or not row[0]:
                raise SwapBlocked("another process is filling Redis from the live tables")
            rows = self.connection.execute(
                f"{LIVE} order by topic, partition for update".encode(), [self._live]
            ).fetchall()
            yield {(topic, partition): offset for topic, partition, offset in rows}

    def wait_for_old_snapshots(self) -> None:
        """Waits until every snapshot that another session has at the call is no longer in use.

        Sessions that wait for this rebuild's locks do not count: they take a new snapshot later.
        Raises SwapBlocked after `OLD_SNAPSHOT_SECONDS`.
        """
        before = self._reading()
        deadline = time.monotonic() + OLD_SNAPSHOT_SECONDS
        while before & self._reading():
            if time.monotonic() > deadline:
                raise SwapBlocked("another transaction has a snapshot from before the last rows")
            time.sleep(0.002)

    def _reading(self) -> set[tuple[int, datetime]]:
        """Other sessions' transactions with a snapshot: process id and start time.

        Without those that wait, directly or indirectly, for locks of this rebuild.
        """
        # in a transaction pg_stat_activity repeats its first answer until the snapshot is cleared
        self.connection.execute("select pg_stat_clear_snapshot()")
        ours = {self.connection.info.backend_pid, self._ours.info.backend_pid}
        rows = self.connection.execute(OPEN, [list(ours)]).fetchall()
        waiting: set[int] = set()
        while more := {row[0] for row in rows if {*waiting, *ours} & {*row[2]}} - waiting:
            waiting |= more
        return {(pid, began) for pid, began, _ in rows if pid not in waiting}

    def replace(
        self,
        projections: Iterable[Projection],
        pairs: Iterable[Pair],
        shadow: str,
        refill: bool,
        books: Iterable[str] = (),
    ) -> None:
        """Replaces the live tables by those of `shadow`, in the transaction that locks checkpoints;
        drops the rest of `shadow`, and records the versions as built.

        `books`: tables of the group itself (event ledger …) that are replaced too. Projectors that
        may have cached the old tables lose their partitions and restart. Redis is filled anew if
        `refill`, or if a projection had another version or was being built.
        """
        execute = self.connection.execute
        execute("set local lock_timeout = '500ms'")
        listed, own = list(pairs), [quoted(name) for name in books]
        names = [pair.live for pair in listed if self._exists(pair.live)]
        names += [f"{quoted(self._live)}.{name}" for name in own]
        if names:
            # one LOCK for all tables, so that a query of two tables sees both old or both new
            execute(f"lock table {', '.join(names)} in access exclusive mode".encode())
        for pair in listed:
            execute(f"drop table if exists {pair.live}".encode())
            execute(f"alter table {pair.shadow} set schema {quoted(self._live)}".encode())
        for name in own:
            execute(f"drop table {quoted(self._live)}.{name}".encode())
            execute(f"alter table {quoted(shadow)}.{name} set schema {quoted(self._live)}".encode())
        execute(f"drop schema {quoted(shadow)} cascade".encode())
        changed = False
        for one in projections:
            row = execute(
                "select version from hitotsu.projection_version where grp = %s and projection = %s",
                [self._live, one.name],
            ).fetchone()
            changed = changed or (row is not None and row[0] != one.version)
            execute(
                "insert into hitotsu.projection_version values (%s, %s, %s)"
                " on conflict (grp, projection) do update set version = excluded.version",
                [self._live, one.name, one.version],
            )
            built = execute(
                "delete from hitotsu.projection_building where grp = %s and projection = %s",
                [self._live, one.name],
            )
            changed = changed or built.rowcount > 0
        execute(END_UPGRADE, [self._live, self._live])
        if own or changed or not all(pair.comparable for pair in listed):
            # a projector that has cached old rows must not write to these tables: fence it
            execute(
                "update hitotsu.checkpoint set epoch = epoch + 1, owner = null where grp = %s",
                [self._live],
            )
        if refill or changed:
            execute("delete from hitotsu.cache_generation where grp = %s", [self._live])

    def note(self, due: Mapping[str, list[str]]) -> None:
        """Records pending writes to Redis, which the projectors then do. `due`: keys by table."""
        for table, keys in due.items():
            for start in range(0, len(keys), NOTE_KEYS):
                noted = json.dumps({table: keys[start : start + NOTE_KEYS]}).encode()
                self.connection.execute(
                    "insert into hitotsu.redis_pending (grp, owner, partitions, views, created_at)"
                    " values (%s, %s, '{}', %s, now() - interval '1 minute')",
                    [self._live, uuid4(), noted],
                )

    def again(self, work: Callable[[], None], waiting: Callable[[str], None]) -> None:
        """Calls `work` until it does not raise SwapBlocked; before each further call, calls
        `waiting` with the reason and pauses for `AGAIN_SECONDS`.
        """
        while True:
            try:
                work()
                return
            except SwapBlocked as error:
                waiting(str(error))
                time.sleep(AGAIN_SECONDS)

    def _exists(self, name: str) -> bool:
        row = self.connection.execute("select to_regclass(%s)", [name]).fetchone()
        return row is not None and row[0] is not None

    @contextmanager
    def _busy(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            raise SwapBlocked(
                "another session holds a lock on the live tables or checkpoints"
            ) from error
