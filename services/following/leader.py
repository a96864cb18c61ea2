"""How does one process, and no second, do what has to be done in the background?

By a lock in Postgres that ends with its connection. Whoever has it works; the others wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
from aiokafka.errors import KafkaError

from services.deciding.decider import PASSING
from services.runtime.db import Connection
from services.runtime.logging import log
from services.runtime.worker import Worker

WAIT_SECONDS = 0.5
ONE_ONLY = "select pg_try_advisory_lock(hashtext(%s))"
Round = Callable[[Connection], Awaitable[bool]]


class Alone(Worker):
    """Calls `work` again and again, at once while it says that there is more."""

    def __init__(
        self,
        dsn: str,
        name: str,
        work: Round,
        pause_seconds: float,
        group: str = "main",
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """`group`: whose tables it sees; `name`: of the lock, and in Postgres' own listings.

        `ready`: whether it may work now; it is asked before every round.
        """
        super().__init__(dsn, name, WAIT_SECONDS, group)
        self._work, self._pause, self._ready = work, pause_seconds, ready

    async def turn(self, connection: Connection) -> None:
        while True:
            row = await (await connection.execute(ONE_ONLY, [f"hitotsu.{self.name}"])).fetchone()
            if row is not None and row[0]:
                break
            await asyncio.sleep(WAIT_SECONDS)
        while True:
            try:
                more = self._ready() and await self._work(connection)
            except PASSING as error:
                log.warning("tried again", work=self.name, error=type(error).__name__)
                more = False
            except KafkaError as error:
                log.warning("waits for kafka", work=self.name, error=type(error).__name__)
                more = False
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError):
                raise
            except Exception as error:  # whatever it is, the next round may do without it
                log.error("failed", work=self.name, error=type(error).__name__)
                more = False
            if not more:
                await asyncio.sleep(self._pause)
