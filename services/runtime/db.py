"""How does a process talk to Postgres?"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]


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
        check=AsyncConnectionPool.check_connection,
        configure=bound,
        kwargs={"autocommit": True},
    )
