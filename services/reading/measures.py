"""Runs the measuring queries that projections declare, in the background, and sets their metrics.

A measure may read every row of a projection. So the pause after it is at least 50 times as long as
the query took. If a query fails or takes too long, or while the projection is being built, the
metric is NaN (unknown).
"""

from __future__ import annotations

import asyncio
import math
import time

from projections.core.projection import Measure
from services.reading.catalog import Catalog
from services.reading.database import PostgresAway, ask
from services.runtime.build_state import Builds
from services.runtime.db import Pool
from services.runtime.logging import log
from services.runtime.metrics import MEASURED

EVERY_SECONDS, AGAIN_SECONDS = 60.0, 5.0
SHARE = 50  # the pause after a measure, as a multiple of its duration


class ProjectionMeasures:
    """Runs a background task for each measure."""

    def __init__(self, pool: Pool, catalog: Catalog, builds: Builds) -> None:
        """Raises TypeError if a measure names a metric that `services/runtime/metrics.py` lacks."""
        self._pool, self._builds = pool, builds
        self._measures = [one for projection in catalog.projections for one in projection.measures]
        if unknown := {one.metric for one in self._measures} - MEASURED.keys():
            raise TypeError(f"MEASURED in services/runtime/metrics.py lacks {sorted(unknown)}")
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Starts the tasks."""
        self._tasks = [asyncio.create_task(self._run(one)) for one in self._measures]

    async def stop(self) -> None:
        """Stops the tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, measure: Measure) -> None:
        while True:
            began = time.monotonic()
            value = await self._value(measure)
            MEASURED[measure.metric].set(value)
            pause = AGAIN_SECONDS if math.isnan(value) else EVERY_SECONDS
            await asyncio.sleep(max(pause, SHARE * (time.monotonic() - began)))

    async def _value(self, measure: Measure) -> float:
        if not self._builds.ready([measure.projection]):
            return math.nan
        try:
            return float((await ask(self._pool, measure.statement, {}))[0][0])
        except PostgresAway:
            return math.nan
        except Exception as error:  # only a metric: no answer depends on it
            log.error("measure_failed", metric=measure.metric, error=type(error).__name__)
            return math.nan
