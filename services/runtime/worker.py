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
    """Connects and calls `turn`; repeats both after a pause when `turn` returns or fails."""

    def __init__(self, dsn: str, name: str, again_seconds: float, group: str = LIVE) -> None:
        """`name`: in logs, and the application_name; `again_seconds`: the pause.

        The schema of `group` is on the search_path.
        """
        self.name = name
        self._conninfo = conninfo(dsn, group=group, name=name)
        self._again_seconds = again_seconds
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def turn(self, connection: AsyncConnection[TupleRow]) -> None:
        """The work, done on a new connection; may run for ever."""

    async def start(self) -> None:
        """Starts the background task; Postgres may still be unreachable."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Cancels the background task and waits for its end; open transactions are rolled back."""
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
                # Postgres is unreachable, or tables do not exist yet or are being swapped
                log.warning("postgres_away", task=self.name, error=type(error).__name__)
            except Exception as error:  # an unexpected error; the next turn may succeed
                log.error("turn_failed", task=self.name, error=type(error).__name__)
            await asyncio.sleep(self._again_seconds)
