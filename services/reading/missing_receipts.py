"""Counts missing receipt numbers in the background, as a metric.

A count reads every row of the projection, so the pause after it is so long that it keeps one
connection at most a fiftieth busy. A count that takes too long is cancelled; the metric is then
NaN.
"""

from __future__ import annotations

import asyncio
import math
import time

from projections.terminal_gaps import projection
from projections.terminal_gaps.queries import MISSING_IN_ALL
from services.reading.database import PostgresAway, ask
from services.runtime.build_state import Builds
from services.runtime.db import Pool
from services.runtime.logging import log
from services.runtime.metrics import MISSING_RECEIPTS

EVERY_SECONDS, AGAIN_SECONDS = 60.0, 5.0
SHARE = 50  # a count may cost one part in so many of a connection's time


class MissingReceipts:
    """The background task."""

    def __init__(self, pool: Pool, builds: Builds) -> None:
        self._pool, self._builds = pool, builds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the task."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stops the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            found = await self._count()
            MISSING_RECEIPTS.set(found)
            pause = AGAIN_SECONDS if math.isnan(found) else EVERY_SECONDS
            await asyncio.sleep(max(pause, SHARE * (time.monotonic() - began)))

    async def _count(self) -> float:
        if not self._builds.ready([projection.name]):
            return math.nan
        try:
            return float((await ask(self._pool, MISSING_IN_ALL, {}))[0][0])
        except PostgresAway:
            return math.nan
        except Exception as error:  # a number for people: nothing else depends on it
            log.error("missing_receipts_not_counted", error=type(error).__name__)
            return math.nan
