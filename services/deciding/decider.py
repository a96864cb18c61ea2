"""Decides commands in batches: up to 256 waiting commands are decided in one transaction.

A decider runs one transaction after another, never two in parallel, so a hot row is locked once
for all commands of a batch that need it. After a crash, callers send their commands again: the
stored answers are returned if the batch was committed, else the commands are decided.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from services.deciding.answers import (
    Answer,
    Keyed,
    is_key_taken,
    query_stored_answers,
    store_answers,
    stored_answers,
)
from services.runtime.db import RETRYABLE, Connection, conninfo
from services.runtime.groups import LIVE
from services.runtime.logging import log
from services.runtime.metrics import DECIDED_AT_ONCE, DECISIONS

AT_ONCE = 256
GATHER_SECONDS = 0.002  # how long a batch waits for the callers of the last batch to send again
ATTEMPTS = 20
IDLE = TransactionStatus.IDLE
PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.1


class DecisionWork(Protocol):
    """A domain's decisions in two steps: `see` locks and reads, `decide` decides and stores."""

    async def see(self, connection: Connection, commands: Sequence[Any]) -> Any:
        """Takes the locks and reads the state, also for commands that have a stored answer."""

    async def decide(
        self, connection: Connection, seen: Any, commands: Sequence[Any]
    ) -> list[Answer]:
        """Decides these commands in order and stores the results; `seen` is what `see` returned.

        Commands with a stored answer are not among them.
        """


class InFlight(Exception):
    """A command with this key is being decided by this process."""


class NotDecided(Exception):
    """There is no decision, or none is known; it is safe to send the command again with its key."""


COUNTED_FROM_START = ("200", "201", "409")  # the statuses that commands usually end in


class Decider:
    """Collects waiting commands, decides them as a batch, stores and returns the answers."""

    def __init__(
        self, dsn: str, name: str, work: DecisionWork, done: Callable[[], None], group: str = LIVE
    ) -> None:
        """`done` is called after each commit; the schema of `group` is on the search_path."""
        self._conninfo = conninfo(dsn, group=group, name=name)
        self._name, self._work, self._done = name, work, done
        self._waiting: asyncio.Queue[tuple[Keyed, asyncio.Future[Answer]]] = asyncio.Queue(10_000)
        self._flying: set[tuple[str, str] | None] = set()
        self._expected = 1
        self._enough = asyncio.Event()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        DECIDED_AT_ONCE.labels(name)
        for status in COUNTED_FROM_START:
            DECISIONS.labels(name, status)

    async def start(self) -> None:
        """Starts the background task; Postgres may still be unreachable."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stops the background task; waiting callers get NotDecided."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        while not self._waiting.empty():
            _, future = self._waiting.get_nowait()
            _fail(future, NotDecided("stopping"))
        await self._disconnect()

    async def ask(self, keyed: Keyed) -> Answer:
        """Decides the command, or returns the stored answer of its key.

        Raises `InFlight` while this process decides the same key. Raises `NotDecided` after 5
        seconds, when 10,000 commands wait, when the transaction fails, and when the decider stops.
        """
        name = _name(keyed)
        if name in self._flying:
            raise InFlight
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        try:
            self._waiting.put_nowait((keyed, future))
        except asyncio.QueueFull:
            raise NotDecided("too many commands are waiting") from None
        if 1 + self._waiting.qsize() >= self._expected:
            self._enough.set()
        if name is not None:
            self._flying.add(name)
        # if the caller disconnects, the key stays in flight until the command is decided
        late = loop.call_later(PATIENCE_SECONDS, _fail, future, NotDecided("no decision in time"))
        try:
            return await future
        finally:
            late.cancel()

    async def _run(self) -> None:
        while True:
            batch = await self._gathered()
            DECIDED_AT_ONCE.labels(self._name).observe(len(batch))
            try:
                answers = await self._decided([keyed for keyed, _ in batch])
            except asyncio.CancelledError:
                for _, future in batch:
                    _fail(future, NotDecided("stopping"))
                raise
            except Exception as error:
                log.error("commands_not_decided", error=type(error).__name__, commands=len(batch))
                reason = (
                    error if isinstance(error, NotDecided) else NotDecided(type(error).__name__)
                )
                for _, future in batch:
                    _fail(future, reason)
                continue
            finally:
                self._flying.difference_update(_name(keyed) for keyed, _ in batch)
            for status, many in Counter(answer.status for answer in answers).items():
                DECISIONS.labels(self._name, str(status)).inc(many)
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
            self._expected = min(AT_ONCE, len(batch) + self._waiting.qsize())

    async def _gathered(self) -> list[tuple[Keyed, asyncio.Future[Answer]]]:
        """At most 256 waiting commands; waits up to 2 ms until there are `_expected`.

        These are as many as the last batch had, plus those that waited when it was committed.
        Without this wait, clients that send one command after another would form two batches that
        alternate, at twice the cost. A single client does not wait.
        """
        batch = [await self._waiting.get()]
        if 1 + self._waiting.qsize() < self._expected:
            self._enough.clear()
            timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._enough.set)
            try:
                await self._enough.wait()
            except asyncio.CancelledError:
                _fail(batch[0][1], NotDecided("stopping"))
                raise
            timer.cancel()
        while len(batch) < AT_ONCE and not self._waiting.empty():
            batch.append(self._waiting.get_nowait())
        return batch

    async def _decided(self, batch: Sequence[Keyed]) -> list[Answer]:
        for attempt in range(ATTEMPTS):
            try:
                connection = await self._connected()
                answers = await self._committed(connection, batch)
                self._done()
                return answers
            except (*RETRYABLE, psycopg.errors.UniqueViolation) as error:
                if not isinstance(error, RETRYABLE) and not is_key_taken(error):
                    raise
                log.warning("decision_retried", error=type(error).__name__, attempt=attempt)
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                log.warning("postgres_away", error=type(error).__name__)
                await self._disconnect()
            await asyncio.sleep(PAUSE_SECONDS * min(attempt, 5))
        raise NotDecided("Postgres is unreachable, or the transaction had to be retried too often")

    async def _committed(self, connection: Connection, batch: Sequence[Keyed]) -> list[Answer]:
        """Runs the transaction in a pipeline, which waits only for results that the next step
        needs.
        """
        try:
            # psycopg's `transaction()` costs a round trip to begin and one before the commit
            async with connection.pipeline():
                await connection.execute("begin")
                answers = await self._transaction(connection, batch)
                await connection.execute("commit")
            return answers
        finally:
            if not connection.closed and connection.info.transaction_status is not IDLE:
                await connection.rollback()

    async def _transaction(self, connection: Connection, batch: Sequence[Keyed]) -> list[Answer]:
        asked = await query_stored_answers(connection, batch)
        seen = await self._work.see(connection, [each.command for each in batch])
        said = await stored_answers(asked, batch)
        fresh = [each for place, each in enumerate(batch) if place not in said]
        commands = [each.command for each in fresh]
        decided = await self._work.decide(connection, seen, commands) if fresh else []
        await store_answers(connection, list(zip(fresh, decided, strict=True)))
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


def _name(keyed: Keyed) -> tuple[str, str] | None:
    """(caller, key), which identifies a command; None for a dry run."""
    return (keyed.client, keyed.key) if keyed.key is not None else None


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
