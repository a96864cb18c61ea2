"""How does the log become a shadow's rows? Read, folded and stored at the same time.

A record is applied if the live group's ledger says that this very record was: what was a resend,
a conflict or a dead letter there is one here, without a ledger of the shadow's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from projections.core.fold import Folded, Group, HandlerFailed
from schemas import codec
from schemas.events import SubjectErased
from services.rebuild.shadow import Shadow
from services.runtime.db import conninfo
from services.verify.columns import quoted, shown
from services.verify.log import Log, Place, Record

BATCH_EVENTS_MAX = 40_000
HEADER = 5
NOT_APPLIED = """
select x.n from unnest(%s::uuid[], %s::bigint[]) with ordinality as x(id, at, n)
left join {ledger} l
    on l.event_id = x.id and l.topic = %s and l.partition = %s and l."offset" = x.at
where l.event_id is null
"""
Decoded = dict[Place, list[tuple[int, Any]]]
Progress = Callable[[str, int, int], None]


class CannotRebuild(Exception):
    """The shadow cannot take what the live group took; says which event."""


@dataclass(slots=True)
class Batch:
    """What one transaction will store."""

    folded: Folded = field(default_factory=Folded)
    positions: dict[Place, int] = field(default_factory=dict)
    events: int = 0


class Folding:
    """Three stages at once: read and decode the next, fold this, store the one before."""

    def __init__(self, dsn: str, shadow: Shadow, log: Log, topics: Mapping[str, int]) -> None:
        self._shadow, self._log, self._topics = shadow, log, topics
        self._group: Group = shadow.group
        info = conninfo(dsn, group=shadow.live, name="hitotsu-rebuild")
        self._ledger: psycopg.Connection[TupleRow] = psycopg.connect(info, autocommit=True)
        # a few thousand ids in a ledger of millions: each by its key, whatever the planner thinks
        self._ledger.execute("set enable_hashjoin = off; set enable_mergejoin = off")
        self._statement = NOT_APPLIED.format(ledger=f"{quoted(shadow.live)}.ledger").encode()
        self._reader = ThreadPoolExecutor(1, "read")
        self._storer = ThreadPoolExecutor(1, "store")
        kinds = {*self._group.handlers, *self._group.evolvers}
        if any(table.subject for table in self._group.tables):
            kinds.add(SubjectErased)
        self._kinds = kinds
        self._strange: set[bytes] = set()
        self.events = 0

    def close(self) -> None:
        """Waits for what is being stored."""
        self._reader.shutdown(cancel_futures=True)
        self._storer.shutdown()
        self._ledger.close()

    def left(self, ends: Mapping[Place, int]) -> int:
        """How many records are still to be folded up to these offsets."""
        return self._log.left(ends)

    def fold(self, ends: Mapping[Place, int], moved: Callable[[int], None]) -> None:
        """Everything before these offsets; `moved` is told how many records were stored."""
        storing: Future[int] | None = None
        reading = self._reader.submit(self._read, ends)
        batch = Batch()
        while True:
            found, done = reading.result()
            if not done:
                reading = self._reader.submit(self._read, ends)
            for place, records in found.items():
                self._take(place, records, batch)
            full = batch.events >= BATCH_EVENTS_MAX
            if done or full or storing is None or storing.done():
                if storing is not None:
                    moved(storing.result())
                storing = self._storer.submit(self._store, batch)
                batch = Batch()
            if done:
                moved(storing.result())
                return

    def _read(self, ends: Mapping[Place, int]) -> tuple[Decoded, bool]:
        found = {place: self._decoded(many) for place, many in self._log.read(ends).items()}
        return found, not self._log.left(ends)

    def _decoded(self, records: list[Record]) -> list[tuple[int, Any]]:
        """Events by offset; None for what no handler takes, whatever it is."""
        strange = self._strange
        read: list[tuple[int, Any]] = []
        for offset, _, value in records:
            event: Any = None
            if value is not None and value[:HEADER] not in strange:
                try:
                    event = codec.decode(value)
                except codec.Undecodable:
                    event = None
                if event is not None and type(event) not in self._kinds:
                    strange.add(value[:HEADER])
                    event = None
            read.append((offset, event))
        return read

    def _take(self, place: Place, records: list[tuple[int, Any]], batch: Batch) -> None:
        events = [(offset, event) for offset, event in records if event is not None]
        topic = self._topics[place[0]]
        source = topic * 10_000 + place[1]
        aside = self._aside(topic, place[1], events) if events else frozenset[int]()
        take, folded = self._group.take, batch.folded
        try:
            for number, (_, event) in enumerate(events, 1):
                if number not in aside:
                    take(event, event.meta.event_id, source, folded)
        except HandlerFailed as error:
            raise refused(error) from error
        batch.positions[place] = records[-1][0] + 1
        batch.events += len(records)

    def _aside(self, topic: int, partition: int, events: list[tuple[int, Any]]) -> frozenset[int]:
        """The places in the list of those that the live group did not apply."""
        ids = "{" + ",".join([event.meta.event_id.hex() for _, event in events]) + "}"
        offsets = "{" + ",".join([str(offset) for offset, _ in events]) + "}"
        rows = self._ledger.execute(self._statement, [ids, offsets, topic, partition]).fetchall()
        return frozenset(row[0] for row in rows)

    def _store(self, batch: Batch) -> int:
        if batch.events:
            try:
                self._shadow.store(batch.folded, batch.positions)
            except HandlerFailed as error:
                raise refused(error) from error
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                raise CannotRebuild(
                    f"Postgres refuses what the declaration folds: {type(error).__name__}"
                ) from error
        self.events += batch.events
        return batch.events


def refused(error: HandlerFailed) -> CannotRebuild:
    """Says which event the declaration cannot take, though it was applied."""
    event_id = shown("uuid", error.event.meta.event_id)
    return CannotRebuild(f"{error}: event {event_id} was applied, and must be taken here too")
