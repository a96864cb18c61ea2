"""The write-behind queue: rows of committed batches that Redis does not have yet.

While the projector is far behind, many rows change again within a second, so they wait that long
and only the newest version of each is written. Otherwise nothing waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from projections.core.redis_rows import Chunks, ViewRow
from projections.core.tables import StoredTable
from services.projector.apply import CommittedBatch

ROWS_MAX = 40_000
SECONDS_MAX = 1.0  # readers leave Redis when it is two seconds old


@dataclass(slots=True)
class Job:
    """A committed batch, and a callback for when readers can see it."""

    applied: CommittedBatch
    # not called for what the repair made good: Postgres may have shown it long before
    visible: Callable[[], None]
    behind: bool = False
    generation: str = ""


class Gathered:
    """Several committed batches merged: of each row only the newest version."""

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
        """Adds a batch; batches come in commit order."""
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
        """The rows to write, except ledger rows."""
        return {table: rows.values() for table, rows in self._told.items()}

    @property
    def positions(self) -> dict[tuple[str, int], int]:
        """The offsets that these batches reach."""
        return {place: end for job in self.jobs for place, end in job.applied.positions.items()}

    @property
    def firsts(self) -> dict[tuple[str, int], int]:
        """The offsets at which these batches begin."""
        return {
            place: first
            for job in reversed(self.jobs)
            for place, first in job.applied.firsts.items()
        }

    def patience(self) -> float:
        """How many more seconds to wait for batches: 0 once readers would notice."""
        return self.until - time.monotonic() if self.size < ROWS_MAX else 0.0
