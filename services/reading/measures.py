"""Runs the measuring queries that projections declare, in the background, and sets their metrics.

A measure may read every row of a projection. So the pause after it is at least 50 times as long as
the query took. If a query fails or takes too long, or while the projection is being built, the
metric is NaN (unknown). The parts of a list are measured apart: one that is slow or fails leaves
the others known.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection
from dataclasses import dataclass

from prometheus_client import Gauge

from projections.core.lists import Listing, Measure, NumberOf
from services.reading.catalog import Catalog
from services.reading.database import PostgresAway, ask
from services.runtime.build_state import Builds
from services.runtime.db import Pool
from services.runtime.logging import log
from services.runtime.metrics import MEASURED

_COUNTED: dict[Gauge, dict[str, float]] = {}  # by gauge and part of a list
EVERY_SECONDS, AGAIN_SECONDS = 60.0, 5.0
SHARE = 50  # the pause after a measure, as a multiple of its duration


@dataclass(frozen=True, slots=True)
class Measurement:
    """A query and the gauges that it sets, by label; a single number has the label "".

    `number_of`: computes a single number from the rows; without it they are (label, number).
    `part`: names the part of a list.
    """

    metric: str
    statement: str
    needs: Collection[str]
    gauges: dict[str, Gauge]
    number_of: NumberOf | None = None
    part: str = ""

    @classmethod
    def of_number(cls, measure: Measure) -> Measurement:
        """The measurement of a single number."""
        gauges, needs = {"": MEASURED[measure.metric]}, (measure.projection,)
        if measure.number_of is not None:
            return cls(measure.metric, measure.statement, needs, gauges, measure.number_of)
        statement = f"select '', measured.* from ({measure.statement}) measured"
        return cls(measure.metric, statement, needs, gauges)

    @classmethod
    def of_part(cls, measure: Measure, part: Listing) -> Measurement:
        """The measurement of a part of a list."""
        gauge = MEASURED[measure.metric]
        return cls(
            measure.metric,
            measure.statement.replace("{listed}", part.statement),
            (measure.projection, part.projection),
            {label: gauge.labels(label) for label in part.labels},
            part=f"{part.projection} {part.statement}",
        )

    def unknown(self) -> dict[str, float]:
        """NaN for every gauge."""
        return dict.fromkeys(self.gauges, math.nan)

    def set(self, values: dict[str, float]) -> None:
        """Sets each gauge; one without a value to 0.

        Parts of a list that have a label in common set the sum of what each of them counted.
        """
        for label, gauge in self.gauges.items():
            counted = _COUNTED.setdefault(gauge, {})
            counted[self.part] = values.get(label, 0)
            gauge.set(sum(counted.values()))


class ProjectionMeasures:
    """Runs a background task for each measure, and for each part of a measured list."""

    def __init__(self, pool: Pool, catalog: Catalog, builds: Builds) -> None:
        """Raises TypeError if a measure names a metric that `services/runtime/metrics.py` lacks."""
        self._pool, self._builds = pool, builds
        measures = [one for projection in catalog.projections for one in projection.measures]
        if unknown := {one.metric for one in measures} - MEASURED.keys():
            raise TypeError(f"MEASURED in services/runtime/metrics.py lacks {sorted(unknown)}")
        self.measurements = [Measurement.of_number(one) for one in measures if not one.list_name]
        self.measurements += [
            Measurement.of_part(one, part)
            for one in measures if one.list_name for part in catalog.listings(one.list_name)
        ]  # fmt: skip
        for measurement in self.measurements:
            measurement.set(measurement.unknown())
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Starts the tasks."""
        self._tasks = [asyncio.create_task(self._run(one)) for one in self.measurements]

    async def stop(self) -> None:
        """Stops the tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, measurement: Measurement) -> None:
        while True:
            began = time.monotonic()
            values = await self.measure(measurement)
            measurement.set(values)
            pause = AGAIN_SECONDS if any(map(math.isnan, values.values())) else EVERY_SECONDS
            await asyncio.sleep(max(pause, SHARE * (time.monotonic() - began)))

    async def measure(self, measurement: Measurement) -> dict[str, float]:
        """The values by label; NaN for each if they are unknown."""
        if not self._builds.ready(measurement.needs):
            return measurement.unknown()
        try:
            rows = await ask(self._pool, measurement.statement, {})
            if measurement.number_of is not None:
                return {"": measurement.number_of(rows)}
            return {label: float(number) for label, number in rows}
        except PostgresAway:
            return measurement.unknown()
        except Exception as error:  # only a metric: no answer depends on it
            log.error("measure_failed", metric=measurement.metric, error=type(error).__name__)
            return measurement.unknown()
