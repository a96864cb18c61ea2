"""Reads Postgres for one answer: in one read-only snapshot, with timeouts.

The snapshot's first statement reads the checkpoints, so the answer's position fits its rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, dict_row
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from services.reading.position import Position
from services.runtime.db import Pool

T = TypeVar("T")
ANSWER_SECONDS = 6.0
CONNECT_SECONDS = 2.0
DOWN = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
    OSError,
)
_UNPREPARED = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
_BEGIN = sql.SQL(
    "begin transaction isolation level repeatable read read only;"
    " select grp, topic, partition, next_offset from hitotsu.checkpoint where grp = any({})"
)
_detached: set[asyncio.Future[Any]] = set()


class PostgresAway(Exception):
    """Postgres cannot be read now: no answer, none in time, no tables yet, or tables that changed
    since a statement was prepared; the text says which."""


def keep(task: asyncio.Future[Any]) -> None:
    """Keeps a reference to a task until it ends; asyncio itself holds only a weak one."""
    _detached.add(task)
    task.add_done_callback(_ended)


def _ended(task: asyncio.Future[Any]) -> None:
    _detached.discard(task)
    if not task.cancelled():
        task.exception()


async def bounded(work: Awaitable[T], seconds: float = ANSWER_SECONDS) -> T:
    """The result of `work`; raises `PostgresAway` after `seconds`, or if Postgres is away.

    A late `work` is not cancelled: a cancelled psycopg call may block while its server is frozen;
    otherwise the server's statement timeout ends it.
    """
    task = asyncio.ensure_future(work)
    keep(task)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise PostgresAway("no answer in time")
    try:
        return task.result()
    except Exception as error:
        if (told := away(error)) is not None:
            raise told from error
        raise


def away(error: Exception) -> PostgresAway | None:
    """The error as `PostgresAway`; None if it does not mean that Postgres is away."""
    if isinstance(error, _UNPREPARED):
        return PostgresAway("the tables are not prepared yet")
    if isinstance(error, psycopg.errors.FeatureNotSupported) and "cached plan" in str(error):
        return PostgresAway("a cached plan is of a table that has changed")
    return PostgresAway(type(error).__name__) if isinstance(error, DOWN) else None


async def ask(pool: Pool, statement: str, values: dict[str, Any]) -> list[TupleRow]:
    """The rows of one statement in a transaction of its own; raises `PostgresAway`."""

    async def work() -> list[TupleRow]:
        async with pool.connection(timeout=CONNECT_SECONDS) as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()

    return await bounded(work())


class ReadSnapshot:
    """One read-only transaction for a whole answer; the first call of `rows` opens it."""

    def __init__(self, pool: Pool, groups: Iterable[str]) -> None:
        self._pool = pool
        self._groups = groups
        self._lock: asyncio.Lock | None = None
        self._connection: AsyncConnection[TupleRow] | None = None
        self._positions: dict[str, Position] = {}

    async def rows(self, statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of a statement in the snapshot; raises `PostgresAway`."""
        return await bounded(self._rows(statement, values))

    def position(self, group: str) -> Position:
        """The group's position in the snapshot; empty before the first call of `rows`."""
        return self._positions.get(group, {})

    def close(self) -> None:
        """Returns the connection to the pool, in the background, after running statements end."""
        if self._lock is not None:
            keep(asyncio.ensure_future(self._release(self._lock)))

    async def _rows(self, statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        if self._lock is None:  # most answers need no Postgres
            self._lock = asyncio.Lock()
        async with self._lock:
            connection = self._connection or await self._begin()
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(statement.encode(), values)
                return await cursor.fetchall()

    async def _begin(self) -> AsyncConnection[TupleRow]:
        connection = self._connection = await self._pool.getconn(timeout=CONNECT_SECONDS)
        cursor = await connection.execute(_BEGIN.format(sql.Literal(list(self._groups))))
        cursor.nextset()
        for group, topic, partition, next_offset in await cursor.fetchall():
            self._positions.setdefault(group, {})[f"{topic}-{partition}"] = next_offset
        return connection

    async def _release(self, lock: asyncio.Lock) -> None:
        async with lock:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            try:
                # after a rollback psycopg drops the connection's prepared statements, and Postgres
                # would parse and plan every statement again
                if connection.info.transaction_status is TransactionStatus.INTRANS:
                    await connection.commit()
                else:
                    await connection.rollback()
            finally:
                await self._pool.putconn(connection)
