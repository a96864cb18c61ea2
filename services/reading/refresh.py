"""Polls, in the background, the state that answers depend on: Redis generations, checkpoints, end
offsets, and which projections are being built.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress

from services.reading.age import EVERY_SECONDS, Checkpoints
from services.reading.catalog import Catalog
from services.reading.database import PostgresAway, ask
from services.reading.end_offsets import FRESH_SECONDS, Ends
from services.reading.position import Position
from services.reading.reader import counted_from_start
from services.reading.redis_views import ViewReader
from services.runtime.build_state import STATE, Builds
from services.runtime.db import Pool
from services.runtime.logging import log
from services.runtime.metrics import API_LAG, ERASED

MEASURED_EVERY_SECONDS = 1.0
ERASED_EVERY = 120
_CHECKPOINTS = """
select c.grp, g.generation::text, c.topic, c.partition, c.next_offset
from hitotsu.checkpoint c left join hitotsu.cache_generation g using (grp)
where c.grp = any(%(groups)s)
"""
_ERASED = "select count(*) from hitotsu.subject_key where erased_at is not null"


class ReadRefresh:
    """The background tasks that poll Postgres and Kafka and set the lag metrics."""

    def __init__(
        self,
        pool: Pool,
        views: ViewReader,
        ends: Ends,
        catalog: Catalog,
        builds: Builds | None = None,
    ) -> None:
        """`views`, `ends` and `builds` are the objects that it keeps up to date."""
        self._pool, self._views, self._ends, self._catalog = pool, views, ends, catalog
        self._builds = builds or Builds({})
        self._positions: dict[str, Position] = {}
        self._positions_at = -FRESH_SECONDS
        self._checkpoints = Checkpoints()
        self._doubt = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._looks = 0

    def doubted(self) -> None:
        """Polls again soon, because Redis has another generation than Postgres named."""
        self._doubt.set()

    async def start(self) -> None:
        """Polls Postgres, for which it waits at most two seconds, and starts the tasks."""
        # until Kafka has answered, the lag metrics are NaN (unknown) and not absent
        self._publish({})
        counted_from_start(
            table for projection in self._catalog.projections for table in projection.tables
        )
        first = asyncio.ensure_future(self._postgres())
        await asyncio.wait({first}, timeout=2.0)
        self._tasks = [
            asyncio.create_task(self._look_again()),
            asyncio.create_task(self._measure()),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ends.close()

    async def _look_again(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._doubt.wait(), EVERY_SECONDS)
                # while the generation changes, poll at most ten times a second
                await asyncio.sleep(0.1)
            self._doubt.clear()
            await self._postgres()
            # also if Postgres did not answer: the checkpoints known so far have become older
            self._views.due = self._checkpoints.due(time.monotonic())

    async def _measure(self) -> None:
        while True:
            try:
                await self._ends.refresh()
            except Exception as error:  # no error of a client library may end the task
                log.error("end_offsets_failed", error=type(error).__name__)
            self._publish(await self._served())
            await asyncio.sleep(MEASURED_EVERY_SECONDS)

    async def _served(self) -> dict[str, Position]:
        """By group, the position of answers: Redis' while it is used, otherwise Postgres'.

        Without groups of which neither is known; old checkpoints would give a wrong lag.
        """
        fresh = time.monotonic() - self._positions_at <= FRESH_SECONDS
        served = dict(self._positions) if fresh else {}
        for group in self._catalog.groups:
            position = await self._views.position(group)
            if position is not None:
                served[group] = position
        return served

    async def _postgres(self) -> None:
        groups = {"groups": list(self._catalog.groups)}
        asked_at = time.monotonic()
        try:
            # before the generation: a projection seen as built has a generation filled after that
            self._builds.see(await ask(self._pool, STATE, groups))
            checkpoints = await ask(self._pool, _CHECKPOINTS, groups)
            if self._looks % ERASED_EVERY == 0:
                ERASED.set((await ask(self._pool, _ERASED, {}))[0][0])
        except PostgresAway:
            return  # keep the last state: answers may come from Redis alone
        except Exception as error:
            log.error("checkpoints_unreadable", error=type(error).__name__)
            return
        self._looks += 1
        named = {row[0]: str(row[1]) for row in checkpoints if row[1] is not None}
        if named != self._views.generations:
            self._views.shelf.clear()
        self._views.generations = named
        positions: dict[str, Position] = {group: {} for group in self._catalog.groups}
        for group, _, topic, partition, next_offset in checkpoints:
            positions[group][f"{topic}-{partition}"] = next_offset
        self._positions = self._views.shelf.positions = positions
        self._positions_at = time.monotonic()
        self._checkpoints.seen(asked_at, positions)

    def _publish(self, served: dict[str, Position]) -> None:
        for group, topics in self._catalog.topics.items():
            position = served.get(group)
            for topic in topics:
                late, _ = self._ends.lag(position, [topic])
                API_LAG.labels(topic).set(math.nan if late is None else late)
