"""Caches a small table of Postgres in memory, so that it can be used while Postgres is unreachable.

While it is used, it is read again in the background. After a pause in use, the first caller waits
for a new read, so that entries that ended meanwhile are not taken for valid; only if the read takes
too long or fails does it get the older value.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import psycopg

from services.runtime.logging import log

T = TypeVar("T")
_PAUSE = 2  # after this many refresh intervals without a read, callers wait for a new one
_HUNG = 2  # a read is abandoned after this many times the patience


class CachedValue(Generic[T]):
    """A cached value. `refresh`, `patience` and `oldest` are in seconds."""

    def __init__(
        self,
        read: Callable[[], Awaitable[T]],
        what: str,
        refresh: float = 5.0,
        patience: float = 2.0,
        oldest: float = 3_600.0,
    ) -> None:
        """`read` reads the value from Postgres; `what` is its name in the log.

        `refresh`: age at which it is read again. `patience`: how long callers wait for a read.
        `oldest`: the greatest age at which it is used while Postgres is unreachable.
        """
        self._read, self._what = read, what
        self._refresh, self._patience, self._oldest = refresh, patience, oldest
        self._value: T | None = None
        self._read_at = 0.0
        self._begun_at = -float("inf")
        self._awaited = False
        self._reading: asyncio.Task[None] | None = None
        self.failure: str | None = None  # name of the last read's error; None if it succeeded

    async def get(self) -> T | None:
        """The value; waits for a read, at most for `patience`, after a pause in use.

        None if it was never read, or is older than `oldest`.
        """
        age = time.monotonic() - self._begun_at
        if self._value is None or age > _PAUSE * self._refresh:
            await self._wait(self._patience, awaited=True)
        elif age > self._refresh:
            self._begin(awaited=False)
        elif self._awaited and self._runs and age < self._patience:
            await self._wait(self._patience - age, awaited=True)
        return self.known

    async def again(self) -> T | None:
        """The value, after the read that is running or, if the last one is older than 0.5 s, a new
        one; waits for it at most for `patience`. None as in `get`.
        """
        if time.monotonic() - self._begun_at > 0.5 or self._runs:
            await self._wait(self._patience, awaited=False)
        return self.known

    @property
    def known(self) -> T | None:
        """The value of the last read, without a new one; None as in `get`."""
        return self._value if time.monotonic() - self._read_at <= self._oldest else None

    @property
    def _runs(self) -> bool:
        return self._reading is not None and not self._reading.done()

    async def _wait(self, seconds: float, awaited: bool) -> None:
        # Not `wait_for`: psycopg may never return from a cancellation while a server is frozen.
        await asyncio.wait({self._begin(awaited)}, timeout=seconds)

    def _begin(self, awaited: bool) -> asyncio.Task[None]:
        now = time.monotonic()
        hung = now - self._begun_at > _HUNG * self._patience
        if self._reading is None or self._reading.done() or hung:
            self._begun_at, self._awaited = now, awaited
            self._reading = asyncio.create_task(self._read_again(now))
        return self._reading

    async def _read_again(self, begun_at: float) -> None:
        try:
            value = await self._read()
        except (psycopg.Error, OSError) as error:
            self.failure = type(error).__name__
            log.warning("cached_table_unreadable", table=self._what, error=self.failure)
            return
        self.failure = None
        if begun_at > self._read_at:  # an abandoned read may end after a later one
            self._value, self._read_at = value, begun_at
