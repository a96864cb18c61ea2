"""How does a process talk to Postgres?"""

from __future__ import annotations

import re
import select
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]
# a deadlock, the same rows decided elsewhere, a timeout, a rebuild that swaps the tables: the same
# transaction may succeed a moment later
RETRYABLE = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InternalError_,
)
# of the session: it ends with the connection
TRY_LOCK = "select pg_try_advisory_lock(hashtext(%s))"
_INDEX = re.compile(r"create index if not exists (\S+)\s+on ((?:(\w+)\.)?[^;]+)(?:;|$)")


def conninfo(dsn: str, *, group: str = "main", name: str = "hitotsu", **options: Any) -> str:
    """Names resolve to the group's tables, then to the engine's."""
    settings = f"-c search_path={group},hitotsu -c timezone=UTC"
    return make_conninfo(dsn, application_name=name, options=settings, connect_timeout=5, **options)


def pool(
    dsn: str, *, group: str = "main", name: str = "hitotsu", size: int = 8, timeout: float = 3.0
) -> Pool:
    """A pool that checks what it hands out; open it with `await pool.open()`."""

    async def bound(connection: AsyncConnection[TupleRow]) -> None:
        await connection.set_autocommit(True)
        await connection.execute(sql.SQL("SET statement_timeout = '5s'"))

    return AsyncConnectionPool(
        conninfo(dsn, group=group, name=name),
        min_size=1,
        max_size=size,
        open=False,
        timeout=timeout,
        # the pool's own pauses grow for five minutes; servers come back sooner
        reconnect_timeout=2.0,
        check=_still_there,
        configure=bound,
        kwargs={"autocommit": True},
    )


async def _still_there(connection: AsyncConnection[TupleRow]) -> None:
    """Raises when the server has gone; it is asked only where something came from it meanwhile.

    Nobody is owed anything on an idle connection, so what came is its end, or news that a question
    reads away. Asking each time would cost every reader a wait for the server.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def unless_there(ddl: str) -> str:
    """The same statements, but an index is asked for before it is created.

    `create index if not exists` locks its table even where the index exists: it would wait for
    whoever writes at the moment, and everybody who writes next would wait for it.
    """

    def asked_first(found: re.Match[str]) -> str:
        name, on, schema = found.groups()
        known = f"{schema}.{name}" if schema else name
        return (
            f"do $$ begin if to_regclass('{known}') is null then create index {name} on {on};"
            " end if; end $$;"
        )

    return _INDEX.sub(asked_first, ddl)
