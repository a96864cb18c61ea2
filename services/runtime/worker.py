"""A background task with its own Postgres connection, which reconnects after failures."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from services.runtime.db import conninfo
from services.runtime.groups import LIVE
from services.runtime.logging import log


class Worker(ABC):
    """Connects and calls `turn`; when that returns or Postgres goes away, repeats after a pause."""

    def __init__(self, dsn: str, name: str, again_seconds: float, group: str = LIVE) -> None:
        """`name`: in logs and as application_name; `group`: whose schema is on the search_path."""
        self.name = name
        self._conninfo = conninfo(dsn, group=group, name=name)
        self._again_seconds = again_seconds
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def turn(self, connection: AsyncConnection[TupleRow]) -> None:
        """The work done per connection; may run for ever."""

    async def start(self) -> None:
        """Starts the task; Postgres may still be unreachable."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stops the task; unfinished work is done by the next process."""
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
