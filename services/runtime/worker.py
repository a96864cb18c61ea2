"""How does a task work on and on over a connection of its own, whatever becomes of Postgres?"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from services.runtime.db import conninfo
from services.runtime.logging import log


class Worker(ABC):
    """Connects and takes its turn; when that ends, or Postgres goes away, again after a pause."""

    def __init__(self, dsn: str, name: str, again_seconds: float, group: str = "main") -> None:
        """`name`: in logs and in Postgres' own listings; `group`: whose tables it sees."""
        self.name = name
        self._conninfo = conninfo(dsn, group=group, name=name)
        self._again_seconds = again_seconds
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def turn(self, connection: AsyncConnection[TupleRow]) -> None:
        """What it does while it is connected; a turn may go on for ever."""

    async def start(self) -> None:
        """Begins; Postgres need not be there yet."""
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
                    await self.turn(connection)
            except (psycopg.Error, OSError) as error:
                # away, or tables that are not made yet, or are being swapped
                log.warning("postgres_away", task=self.name, error=type(error).__name__)
            except Exception as error:  # unforeseen; the next turn may succeed all the same
                log.error("turn_failed", task=self.name, error=type(error).__name__)
            await asyncio.sleep(self._again_seconds)
