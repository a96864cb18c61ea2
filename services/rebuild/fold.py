"""Folds the log into the rows of a shadow; reads, folds and stores in parallel.

A record is folded if the live group's event ledger has it, by topic, partition and offset. Records
that were resends, conflicts or dead letters there are skipped. So the shadow needs no ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from projections.core.fold import Folded, Group, HandlerFailed
from projections.core.redis_rows import shown
from schemas.wire import codec
from schemas.wire.effective import effective_event
from services.rebuild.applied_records import AppliedPlaces
from services.rebuild.shadow import Shadow
from services.runtime.db import conninfo
from services.verify.log import Log, LogRecord, Place

BATCH_EVENTS_MAX = 40_000
HEADER = 5
Decoded = dict[Place, list[tuple[int, Any]]]
Progress = Callable[[str, int, int], None]


class CannotRebuild(Exception):
    """The rebuild cannot go on; the text says why and, if a handler refused an event, names it."""


@dataclass(slots=True)
class Batch:
    """The content of one transaction. `events`: number of records read, folded or not.

    `positions`: the offset after the last record, by partition.
    """

    folded: Folded = field(default_factory=Folded)
    positions: dict[Place, int] = field(default_factory=dict)
    events: int = 0


class Folding:
    """A pipeline of three stages: decodes the next batch, folds the present batch, and stores the
    previous batch, each in a thread of its own.

    `topics`: numbers of topics in ledgers, by name.
    """

    def __init__(self, dsn: str, shadow: Shadow, log: Log, topics: Mapping[str, int]) -> None:
        self._shadow, self._log, self._topics = shadow, log, topics
        self._group: Group = shadow.group
        info = conninfo(dsn, group=shadow.live, name="hitotsu-rebuild")
        self._ledger: psycopg.Connection[TupleRow] = psycopg.connect(info, autocommit=True)
        self._applied = AppliedPlaces(self._ledger, shadow.live, log.positions)
        self._reader = ThreadPoolExecutor(1, "read")
        self._storer = ThreadPoolExecutor(1, "store")
        self._kinds = {*self._group.handlers, *self._group.evolvers, *self._group.erasures}
        self._strange: set[bytes] = set()
        self.events = 0

    def close(self) -> None:
        """Waits for the batch that is being stored, then ends the threads and the connection."""
        self._reader.shutdown(cancel_futures=True)
        self._storer.shutdown()
        self._ledger.close()

    def left(self, ends: Mapping[Place, int]) -> int:
        """Number of offsets still to be read before `ends`."""
        return self._log.left(ends)

    def fold(self, ends: Mapping[Place, int], moved: Callable[[int], None]) -> None:
        """Folds and stores all records before `ends`.

        `moved` is called after each stored batch, with its number of records. Raises CannotRebuild
        and LogUnreadable.
        """
        storing: Future[int] | None = None
        reading = self._reader.submit(self._read, ends)
        batch, done = self._batch(), False
        while not done:
            found, done = reading.result()
            if not done:
                reading = self._reader.submit(self._read, ends)
            for place, records in found.items():
                self._take(place, records, batch)
            if done or batch.events >= BATCH_EVENTS_MAX:
                if storing is not None:
                    moved(storing.result())
                storing = self._storer.submit(self._store, batch)
                batch = self._batch()
        if storing is not None:
            moved(storing.result())

    def _batch(self) -> Batch:
        return Batch()

    def _read(self, ends: Mapping[Place, int]) -> tuple[Decoded, bool]:
        found = {place: self._decoded(many) for place, many in self._log.read(ends).items()}
        return found, not self._log.left(ends)

    def _decoded(self, records: list[LogRecord]) -> list[tuple[int, Any]]:
        """Pairs of offset and event; None instead of an unreadable event or one without handler."""
        strange = self._strange
        read: list[tuple[int, Any]] = []
        for record in records:
            offset, value = record.offset, record.value
            event: Any = None
            if value is not None and value[:HEADER] not in strange:
                try:
                    event = self._event(record, value)
                except codec.Undecodable:
                    event = None
                if event is not None and type(event) not in self._kinds:
                    strange.add(value[:HEADER])
                    event = None
            read.append((offset, event))
        return read

    def _event(self, record: LogRecord, value: bytes) -> Any:
        """The event to fold. Raises Undecodable."""
        return effective_event(codec.decode(value), record.headers, record.timestamp)

    def _take(self, place: Place, records: list[tuple[int, Any]], batch: Batch) -> None:
        events = [(offset, event) for offset, event in records if event is not None]
        topic = self._topics[place[0]]
        source = topic * 10_000 + place[1]
        take, folded = self._group.take, batch.folded
        try:
            if events:
                offsets = [offset for offset, _ in events]
                ids = (event.meta.event_id for _, event in events)
                aside = self._applied.left_out(place, topic, offsets, ids)
                for offset, event in events:
                    if offset not in aside:
                        take(event, event.meta.event_id, source, folded)
        except HandlerFailed as error:
            raise refused(error) from error
        batch.positions[place] = records[-1][0] + 1
        batch.events += len(records)

    def _store(self, batch: Batch) -> int:
        if batch.events:
            try:
                self._shadow.store(batch.folded, batch.positions)
            except HandlerFailed as error:
                raise refused(error) from error
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                raise CannotRebuild(
                    f"Postgres refuses to store rows of a projection: {type(error).__name__}"
                ) from error
        self.events += batch.events
        return batch.events


def refused(error: HandlerFailed) -> CannotRebuild:
    """The error for an event that the live group applied and a projection now refuses."""
    event_id = shown("uuid", error.event.meta.event_id)
    return CannotRebuild(f"{error}: the live group applied event {event_id}, a rebuild must too")
