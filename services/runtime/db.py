"""Connections and pools for Postgres."""

from __future__ import annotations

import re
import select
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from services.runtime.groups import LIVE

Connection = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]
# deadlock, conflict with another transaction, timeout, tables being swapped by a rebuild: the same
# transaction may succeed if it is tried again
RETRYABLE = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InternalError_,
)
# a session-level lock: it is released when the connection ends
TRY_LOCK = "select pg_try_advisory_lock(hashtext(%s))"
_INDEX = re.compile(r"create index if not exists (\S+)\s+on ((?:(\w+)\.)?[^;]+)(?:;|$)")


def conninfo(dsn: str, *, group: str = LIVE, name: str = "hitotsu", **options: Any) -> str:
    """A connection string whose search_path is the group's schema, then the engine's schema."""
    settings = f"-c search_path={group},hitotsu -c timezone=UTC"
    return make_conninfo(dsn, application_name=name, options=settings, connect_timeout=5, **options)


def pool(
    dsn: str, *, group: str = LIVE, name: str = "hitotsu", size: int = 8, timeout: float = 3.0
) -> Pool:
    """A pool that hands out only live connections; not open yet: `await pool.open()`.

    `size`: maximum number of connections; `timeout`: seconds to wait for a free one. Statements are
    cancelled after 5 s.
    """

    async def bound(connection: AsyncConnection[TupleRow]) -> None:
        await connection.set_autocommit(True)
        await connection.execute(sql.SQL("SET statement_timeout = '5s'"))

    return AsyncConnectionPool(
        conninfo(dsn, group=group, name=name),
        min_size=1,
        max_size=size,
        open=False,
        timeout=timeout,
        # by default the pauses between attempts grow for five minutes, which is too long
        reconnect_timeout=2.0,
        check=_still_there,
        configure=bound,
        kwargs={"autocommit": True},
    )


async def _still_there(connection: AsyncConnection[TupleRow]) -> None:
    """Raises when the server has closed this connection.

    On an idle connection a server sends only its end or a notice. So the connection is tested, by a
    round trip, only when bytes are waiting to be read.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def unless_there(ddl: str) -> str:
    """The same DDL, but each `create index` runs only when the index is missing.

    `create index if not exists` locks the table even if the index exists: it would wait for running
    writers, and later writers would wait behind it.
    """

    def asked_first(found: re.Match[str]) -> str:
        name, on, schema = found.groups()
        known = f"{schema}.{name}" if schema else name
        return (
            f"do $$ begin if to_regclass('{known}') is null then create index {name} on {on};"
            " end if; end $$;"
        )

    return _INDEX.sub(asked_first, ddl)
