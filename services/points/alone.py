"""How does one process, and no second, do what has to be done in the background?

By a lock in Postgres that ends with its connection. Whoever has it works; the others wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
from aiokafka.errors import KafkaError
from psycopg import AsyncConnection

from services.deciding.answers import Connection
from services.deciding.decider import PASSING
from services.runtime.db import conninfo
from services.runtime.logging import log

WAIT_SECONDS = 0.5
ONE_ONLY = "select pg_try_advisory_lock(hashtext(%s))"
Round = Callable[[Connection], Awaitable[bool]]


class Alone:
    """Calls `work` again and again, at once while it says that there is more."""

    def __init__(
        self, dsn: str, name: str, work: Round, pause_seconds: float, group: str = "main"
    ) -> None:
        """`group`: whose tables it sees; `name`: of the lock, and in Postgres' own listings."""
        self._conninfo = conninfo(dsn, group=group, name=name)
        self._name, self._work, self._pause = name, work, pause_seconds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to wait for its turn; Postgres need not be there yet."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leaves what is not done for the next one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._conninfo, autocommit=True
                ) as connection:
                    await self._turn(connection)
            except (psycopg.Error, OSError) as error:
                log.warning("waits for postgres", work=self._name, error=type(error).__name__)
            await asyncio.sleep(WAIT_SECONDS)

    async def _turn(self, connection: Connection) -> None:
        while True:
            row = await (await connection.execute(ONE_ONLY, [f"hitotsu.{self._name}"])).fetchone()
            if row is not None and row[0]:
                break
            await asyncio.sleep(WAIT_SECONDS)
        while True:
            try:
                more = await self._work(connection)
            except PASSING as error:
                log.warning("tried again", work=self._name, error=type(error).__name__)
                more = False
            except KafkaError as error:
                log.warning("waits for kafka", work=self._name, error=type(error).__name__)
                more = False
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError):
                raise
            except Exception as error:  # whatever it is, the next round may do without it
                log.error("failed", work=self._name, error=type(error).__name__)
                more = False
            if not more:
                await asyncio.sleep(self._pause)
