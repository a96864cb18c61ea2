"""Tests invariants continuously: every two seconds a slice of keys of the next invariant.

A slice follows the one before in key order and is read in one read-only snapshot. Its size adapts
to the time that it takes, so the load on Postgres does not grow with the tables. Up to 100 known
violations of the invariant are tested again with every slice, so that the gauge returns to 0 soon
after a repair.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable

import psycopg

from services.invariants.invariant import Connection, Invariant, Key, Violation
from services.runtime.logging import log
from services.runtime.metrics import INVARIANT_CHECKED, INVARIANT_ROUNDS, INVARIANT_VIOLATIONS
from services.runtime.worker import Worker

PAUSE_SECONDS = 2.0
AWAY_SECONDS = 10.0
SIZE_FIRST, SIZE_MAX, AGAIN_MAX = 100, 1_000, 100
SHORT_SECONDS, LONG_SECONDS = 0.05, 0.2
TIMEOUT = "set statement_timeout = '2s'"
SNAPSHOT = "set transaction isolation level repeatable read read only"


class InvariantRound:
    """The scan of one invariant: its position, the size of a slice, and the known violations."""

    def __init__(self, invariant: Invariant) -> None:
        self.invariant = invariant
        self.after: Key | None = None
        self.size = SIZE_FIRST
        self.known: dict[Key, Violation] = {}
        self.timed_out = False
        self._gauge = INVARIANT_VIOLATIONS.labels(invariant.name)
        self._checked = INVARIANT_CHECKED.labels(invariant.name)
        self._rounds = INVARIANT_ROUNDS.labels(invariant.name)
        self.unknown()

    def unknown(self) -> None:
        """Sets the number of violations to NaN, until the next slice is tested."""
        self._gauge.set(math.nan)

    async def step(self, connection: Connection) -> None:
        """Tests the next slice of keys, and again up to 100 known violations.

        Those that were tested longest ago come first. After a timeout it tests only the slice.
        """
        began, keys, tested = time.perf_counter(), list[Key](), list[Key]()
        try:
            async with connection.transaction():
                await connection.execute(SNAPSHOT)
                keys = await self.invariant.keys(connection, self.after, self.size)
                tested = list(keys)
                if not self.timed_out:  # after a timeout, only the slice
                    tested += [key for key in self.known if key not in set(keys)][:AGAIN_MAX]
                broken = await self.invariant.broken(connection, tested) if tested else {}
        except psycopg.errors.QueryCanceled:
            self.timed_out = True
            self._shrink(keys, tested)
            return
        self.timed_out = False
        self._note(tested, broken)
        self._go_on(keys, time.perf_counter() - began)

    def _note(self, tested: Iterable[Key], broken: dict[Key, Violation]) -> None:
        for key in broken.keys() - self.known.keys():
            log.error(
                "invariant_violated", invariant=self.invariant.name,
                key=[str(part) for part in key], expected=str(broken[key].expected),
                found=str(broken[key].found),
            )  # fmt: skip
        many = 0
        for key in tested:
            many += 1
            self.known.pop(key, None)
        # moves tested violations to the end, so that the others are tested next
        self.known.update(broken)
        self._checked.inc(many)
        self._gauge.set(len(self.known))

    def _go_on(self, keys: list[Key], seconds: float) -> None:
        whole = len(keys) == self.size
        self.after = keys[-1] if whole else None
        if not whole:
            self._rounds.inc()
        if seconds > LONG_SECONDS:
            self.size = max(1, self.size // 2)
        elif seconds < SHORT_SECONDS and whole:
            self.size = min(SIZE_MAX, self.size * 2)

    def _shrink(self, keys: list[Key], tested: list[Key]) -> None:
        """After a timeout: tests fewer keys next time, or skips a key that takes too long."""
        name = self.invariant.name
        if not keys:
            log.warning("invariant_keys_timed_out", invariant=name, size=self.size)
        if self.size > 1:
            self.size = max(1, self.size // 4)
        elif len(tested) == 1:
            self.after = tested[0]  # skip it, or no other key would be tested
            log.warning("invariant_test_timed_out", invariant=name, key=list(map(str, tested[0])))


class InvariantWatch(Worker):
    """Tests the invariants one after another, all on one Postgres connection of the watch."""

    def __init__(
        self,
        dsn: str,
        group: str,
        invariants: Iterable[Invariant],
        pause: float = PAUSE_SECONDS,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """`group`: whose tables are tested; `pause`: seconds between two slices.

        `ready` returns False while tables are being built; then the slice is skipped.
        """
        super().__init__(dsn, "invariants", max(pause, AWAY_SECONDS), group)
        self.rounds = [InvariantRound(invariant) for invariant in invariants]
        self._pause, self._ready = pause, ready

    async def turn(self, connection: Connection) -> None:
        try:
            await connection.execute(TIMEOUT)
            while True:
                for one in self.rounds:
                    if self._ready():
                        await one.step(connection)
                    else:
                        one.unknown()
                    await asyncio.sleep(self._pause)
        finally:  # Postgres is away, or the watch ends: nothing is tested
            for one in self.rounds:
                one.unknown()
