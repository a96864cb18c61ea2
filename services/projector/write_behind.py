"""Merges committed batches before their rows are written to Redis (write-behind).

While the projector is behind, many rows change again within a second. So batches wait up to that
long, and only the newest version of a row is written. Otherwise batches are written at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from projections.core.redis_rows import Chunks, ViewRow
from projections.core.tables import StoredTable
from services.projector.apply import CommittedBatch

ROWS_MAX = 40_000
SECONDS_MAX = 1.0  # readers stop using Redis when it is two seconds old


@dataclass(slots=True)
class Job:
    """A committed batch to write to Redis.

    `behind`: the projector is behind. `generation`: of Redis when the batch was queued.
    """

    applied: CommittedBatch
    # called when readers can see the batch; not after a repair, since Postgres showed it earlier
    visible: Callable[[], None]
    behind: bool = False
    generation: str = ""


class Gathered:
    """Several committed batches merged, with only the newest version of a row."""

    def __init__(self, first: Job) -> None:
        self.generation = first.generation
        self.until = time.monotonic() + (SECONDS_MAX if first.behind else 0.0)
        self.jobs: list[Job] = []
        self.size = 0
        self.first: Chunks = []
        self.noted: list[int] = []
        self._told: dict[StoredTable, dict[tuple[str, str], ViewRow]] = {}
        self.add(first)

    def add(self, job: Job) -> None:
        """Adds a batch; batches have to be added in the order of their commits."""
        self.jobs.append(job)
        if not job.behind:
            self.until = 0.0
        chunks = job.applied.due.chunks
        self.first += chunks
        self.noted += job.applied.due.noted
        self.size += sum(rows for rows, _ in chunks)
        for table, rows in job.applied.due.told.items():
            held = self._told.setdefault(table, {})
            before = len(held)
            held.update({row[:2]: row for row in rows})
            self.size += len(held) - before

    @property
    def rows_to_write(self) -> dict[StoredTable, Collection[ViewRow]]:
        """The changed rows to write, by table; the encoded new rows are in `first`."""
        return {table: rows.values() for table, rows in self._told.items()}

    @property
    def positions(self) -> dict[tuple[str, int], int]:
        """The offset after the last of these batches, by partition."""
        return {place: end for job in self.jobs for place, end in job.applied.positions.items()}

    @property
    def firsts(self) -> dict[tuple[str, int], int]:
        """The first offset of the first of these batches, by partition."""
        return {
            place: first
            for job in reversed(self.jobs)
            for place, first in job.applied.firsts.items()
        }

    def patience(self) -> float:
        """How many seconds to wait for another batch; 0 or less: write now."""
        return self.until - time.monotonic() if self.size < ROWS_MAX else 0.0
