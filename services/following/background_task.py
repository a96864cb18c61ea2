"""Runs a background task in rounds, with retries while Postgres or Kafka is away.

A task that must never run in two processes in parallel elects a leader by an advisory lock in
Postgres. The lock ends with its connection; then one of the waiting processes becomes the leader.
"""

from __future__ import annotations

import asyncio
import traceback
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import psycopg
from aiokafka.errors import KafkaError

from services.runtime.db import RETRYABLE, TRY_LOCK, Connection
from services.runtime.groups import LIVE
from services.runtime.logging import log
from services.runtime.producer import KafkaAway
from services.runtime.worker import Worker

ELECTION_SECONDS = 0.5
RETRY_SECONDS = 0.3
DISCONNECTED = (psycopg.OperationalError, psycopg.InterfaceError, OSError)


class BackgroundTask(Worker):
    """Calls `round` repeatedly: without a pause while it returns True, else after a pause."""

    leader_only: ClassVar[bool] = True
    """Whether only an elected process runs the task; False: every process that starts it."""

    def __init__(
        self,
        dsn: str,
        name: str,
        pause_seconds: float,
        group: str = LIVE,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """`name`: of the advisory lock, in logs and in Postgres' `application_name`.

        `pause_seconds`: before the next round if there is nothing to do. `group`: the projection
        group whose schema is on the search path. `ready`: called before every round; while it
        returns False, no round runs.
        """
        super().__init__(dsn, name, ELECTION_SECONDS, group)
        self._pause_seconds, self._ready = pause_seconds, ready

    @abstractmethod
    async def round(self, connection: Connection) -> bool:
        """Does a piece of the work; returns whether the next round follows without a pause.

        If it raises, it is called again after a pause. So changes that belong together have to be
        in one transaction.
        """

    def reset(self) -> None:
        """Drops state cached between rounds; called after connecting and after a failed round."""

    async def pause(self) -> None:
        """Waits before the next round when there is nothing to do."""
        await asyncio.sleep(self._pause_seconds)

    async def turn(self, connection: Connection) -> None:
        if self.leader_only:
            await self._elected(connection)
        self.reset()
        while True:
            try:
                more = self._ready() and await self.round(connection)
            except RETRYABLE as error:
                await self._failed("round_retried", error)
            except (KafkaError, KafkaAway) as error:
                await self._failed("kafka_away", error)
            except DISCONNECTED:
                raise  # connects again, and is elected again
            except Exception as error:  # unexpected; a later round may succeed
                await self._failed("round_failed", error)
            else:
                if not more:
                    await self.pause()

    async def _elected(self, connection: Connection) -> None:
        """Waits until this process is the leader."""
        while True:
            cursor = await connection.execute(TRY_LOCK, [f"hitotsu.{self.name}"])
            row = await cursor.fetchone()
            if row is not None and row[0]:
                return
            await asyncio.sleep(ELECTION_SECONDS)

    async def _failed(self, event: str, error: Exception) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.name}:{frame.lineno}"
        log.warning(event, task=self.name, error=type(error).__name__, where=where)
        self.reset()
        await asyncio.sleep(RETRY_SECONDS)
