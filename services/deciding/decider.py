"""How are many commands decided at once? What waits is taken together, in one transaction.

One transaction at a time, so a hot row is locked once for all who want it. Whatever becomes of the
process, the keys tell: a batch that was interrupted is decided again and answered as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

from services.deciding.answers import Answer, Connection, Keyed, Taken, keep, said_before
from services.runtime.db import conninfo
from services.runtime.logging import log
from services.runtime.metrics import DECIDED_AT_ONCE, DECISIONS

AT_ONCE = 256
ATTEMPTS = 20
PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.1
# others that wait crosswise or decide the same keys, a rebuild that swaps the tables: the same may
# succeed at once
PASSING = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InternalError_,
    Taken,
)
Work = Callable[[Connection, Sequence[Any]], Awaitable[list[Answer]]]


class InFlight(Exception):
    """A command with this key is being decided now."""


class NotDecided(Exception):
    """Nobody can say whether it was decided; sent again with the same key it is decided once."""


class Decider:
    """Takes what waits, decides it, keeps the answers, and tells whoever asked."""

    def __init__(
        self, dsn: str, name: str, work: Work, done: Callable[[], None], group: str = "main"
    ) -> None:
        """`work` decides within the transaction it is given; `done` is told after a commit.

        `group`: whose tables it sees.
        """
        self._conninfo = conninfo(dsn, group=group, name=name)
        self._name, self._work, self._done = name, work, done
        self._waiting: asyncio.Queue[tuple[Keyed, asyncio.Future[Answer]]] = asyncio.Queue(10_000)
        self._flying: set[tuple[str, str]] = set()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to decide; Postgres need not be there yet."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Decides nothing more; who still waits is told to ask again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        while not self._waiting.empty():
            _, future = self._waiting.get_nowait()
            _fail(future, NotDecided("stopping"))
        await self._disconnect()

    async def ask(self, keyed: Keyed) -> Answer:
        """The decision, made now or before; raises `InFlight` or `NotDecided`."""
        name = (keyed.client, keyed.key) if keyed.key is not None else None
        if name in self._flying:
            raise InFlight
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((keyed, future))
        except asyncio.QueueFull:
            raise NotDecided("too many commands wait") from None
        if name is not None:
            self._flying.add(name)
            future.add_done_callback(lambda _: self._flying.discard(name))
        # shielded: who asked may leave, the key stays taken until it is decided
        done, _ = await asyncio.wait({future}, timeout=PATIENCE_SECONDS)
        if not done:
            future.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise NotDecided("no decision in time")
        return future.result()

    async def _run(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            DECIDED_AT_ONCE.labels(self._name).observe(len(batch))
            try:
                answers = await self._decided([keyed for keyed, _ in batch])
            except asyncio.CancelledError:
                for _, future in batch:
                    _fail(future, NotDecided("stopping"))
                raise
            except Exception as error:
                log.error("not decided", error=type(error).__name__, commands=len(batch))
                for _, future in batch:
                    _fail(future, NotDecided(type(error).__name__))
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                DECISIONS.labels(self._name, str(answer.status)).inc()
                if not future.done():
                    future.set_result(answer)

    async def _decided(self, batch: Sequence[Keyed]) -> list[Answer]:
        for attempt in range(ATTEMPTS):
            try:
                connection = await self._connected()
                # in one go: only what must be known before the next step is waited for
                async with connection.pipeline(), connection.transaction():
                    answers = await self._transaction(connection, batch)
                self._done()
                return answers
            except PASSING as error:
                log.warning("decided again", error=type(error).__name__, attempt=attempt)
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                log.warning("postgres is away", error=type(error).__name__)
                await self._disconnect()
            await asyncio.sleep(PAUSE_SECONDS * min(attempt, 5))
        raise NotDecided("Postgres is away")

    async def _transaction(self, connection: Connection, batch: Sequence[Keyed]) -> list[Answer]:
        said = await said_before(connection, batch)
        fresh = [each for place, each in enumerate(batch) if place not in said]
        decided = await self._work(connection, [each.command for each in fresh]) if fresh else []
        await keep(connection, list(zip(fresh, decided, strict=True)))
        rest = iter(decided)
        return [said[place] if place in said else next(rest) for place in range(len(batch))]

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
            await connection.execute("set statement_timeout = '4s'")
            self._connection = connection
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
