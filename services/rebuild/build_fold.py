"""Folds the log for projections that are being built; records which of them refuses which event.

If Postgres refuses a batch, the batch is halved until the offending event is alone. The projection
whose rows of that event cannot be stored then skips it.

It also counts, for projections that are not built, the events whose times this release corrects
when it folds them and an older release did not: the rows of these events keep the old times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from projections.core.fold import Folded, Group, HandlerFailed
from projections.core.projection import Handler, Projection
from schemas.wire import codec
from schemas.wire.effective import effective_event
from services.projector.apply import LATEST_MS, headers_json
from services.projector.batch import PARTITIONS_MAX, Failure
from services.projector.writer import UNSTORABLE
from services.rebuild import former_answers, hold_endings, rejected_events
from services.rebuild.fold import Batch, CannotRebuild, Folding
from services.rebuild.shadow import OWN, Shadow, digest
from services.runtime.logging import log
from services.verify.log import Log, LogRecord, Place

KIND = "(build)"  # row of the table `rebuilt` for the tables below; no projection has this name
TABLES = f"{OWN}{rejected_events.TABLE}{hold_endings.TABLE}{former_answers.TABLES}"
UNSTORABLE_REASON = "Postgres cannot hold a value of this event"


@dataclass(slots=True)
class DecodedEvent:
    """An event with its record. `refused`: the failure of each projection that refuses the event.

    `source`: topic number and partition in one integer.
    """

    place: Place
    source: int
    record: LogRecord
    event: Any
    refused: dict[str, Failure] = field(default_factory=dict)


@dataclass(slots=True)
class BuildBatch(Batch):
    """The content of one transaction. `taken`: its events, since parts may be folded again."""

    taken: list[DecodedEvent] = field(default_factory=list)
    old_times: Counter[str] = field(default_factory=Counter)  # events by projection


@dataclass(frozen=True, slots=True)
class OldTimes:
    """Which records an older release folded without correcting the times of wrong clocks.

    `until`: the offset after the last of them, by partition. `kept`: the projections that are not
    built.
    """

    until: Mapping[Place, int]
    kept: Sequence[Projection]

    def of(self, told: Any, event: Any) -> Iterator[str]:
        """The names of the projections in `kept` whose rows of the original event `told` differ
        from those of `event`, which has corrected times, or may differ.
        """
        kind = type(event)
        for one in self.kept:
            handlers = one.handlers.get(kind, ())
            if kind in one.evolvers or any(_rows(h, told) != _rows(h, event) for h in handlers):
                yield one.name


def _rows(handler: Handler, event: Any) -> list[Any] | None:
    """The rows of an event; None if the handler refuses it."""
    try:
        return list(handler(event))
    except Exception:
        return None


class BuildShadow(Shadow):
    """A shadow schema that also has tables for dead letters and for events that end holds."""

    own = TABLES

    def store_built(self, batch: BuildBatch, whole: Group) -> None:
        """Stores rows, dead letters and positions of a batch in one transaction.

        If a state machine or Postgres refuses an event, the refusal is recorded and the rest is
        folded again. `whole`: the group of all projections that are being built. Raises
        CannotRebuild.
        """
        connection = self.connection
        with connection.transaction():
            parts: list[tuple[list[DecodedEvent], Folded | None]] = [(batch.taken, batch.folded)]
            while parts:
                taken, folded = parts.pop()
                folded = folded or _folded(whole, taken)
                try:
                    with connection.transaction():
                        self._store.write(connection, folded)
                        notes = list(hold_endings.noted(folded))
                        with connection.cursor() as cursor:
                            cursor.executemany(hold_endings.NOTE, notes)
                except HandlerFailed as error:
                    _refuse(taken, error)
                    parts.append((taken, None))
                except UNSTORABLE as error:
                    if len(taken) > 1:
                        middle = len(taken) // 2
                        parts += [(taken[middle:], None), (taken[:middle], None)]
                    else:
                        self._refuse_unstorable(taken, whole, error)
                        parts.append((taken, None))
            letters = [_letter(taken, *refused) for taken in batch.taken for refused in
                       taken.refused.items()]  # fmt: skip
            with connection.cursor() as cursor:
                cursor.executemany(rejected_events.NOTE, letters)
                cursor.executemany(former_answers.COUNT_OLD_TIMES, [*batch.old_times.items()])
            self.advance(batch.positions)

    def _refuse_unstorable(self, taken: list[DecodedEvent], whole: Group, error: Exception) -> None:
        """Notes at the single event in `taken` the projection whose rows Postgres cannot store.

        Raises CannotRebuild if no projection's rows alone are the cause.
        """
        (one,) = taken
        names = {projection.name for projection in whole.projections}
        for name in sorted(names - one.refused.keys()):
            alone = whole.without(names - {name})
            try:
                with self.connection.transaction(force_rollback=True):
                    folded = Folded()
                    alone.take(one.event, one.event.meta.event_id, one.source, folded)
                    self._store.write(self.connection, folded)
            except UNSTORABLE as cause:
                one.refused[name] = Failure("store", type(cause).__name__, UNSTORABLE_REASON)
                return
        raise CannotRebuild(
            f"Postgres refuses the rows of {one.place[0]}-{one.place[1]}@{one.record.offset}, but"
            f" stores those of every single projection: {type(error).__name__}"
        ) from error

    def _wanted(self) -> dict[str, tuple[int, str]]:
        return {**super()._wanted(), KIND: (1, digest(TABLES))}


class BuildFolding(Folding):
    """Folds each event for the projections that accept it."""

    def __init__(
        self, dsn: str, shadow: Shadow, log: Log, topics: Mapping[str, int], old_times: OldTimes
    ) -> None:
        super().__init__(dsn, shadow, log, topics)
        self._old_times = old_times
        # by offset: the events whose times were corrected, with their original times
        self._told: dict[int, Any] = {}

    def _batch(self) -> Batch:
        return BuildBatch()

    def _decoded(self, records: list[LogRecord]) -> list[tuple[int, Any]]:
        """Pairs of offset and (record, event, the event with its original times if these were
        corrected, else None); of offset and None if the event cannot be decoded or no handler takes
        it.
        """
        told = self._told = {}
        read = super()._decoded(records)
        return [
            (offset, None if event is None else (record, event, told.get(offset)))
            for record, (offset, event) in zip(records, read, strict=True)
        ]

    def _event(self, record: LogRecord, value: bytes) -> Any:
        told = codec.decode(value)
        event = effective_event(told, record.headers, record.timestamp)
        if event is not told:
            self._told[record.offset] = told
        return event

    def _take(self, place: Place, records: list[tuple[int, Any]], batch: Batch) -> None:
        assert isinstance(batch, BuildBatch)
        read = [(offset, *pair) for offset, pair in records if pair is not None]
        topic = self._topics[place[0]]
        source = topic * PARTITIONS_MAX + place[1]
        if read:
            offsets = [offset for offset, *_ in read]
            ids = (event.meta.event_id for _, _, event, _ in read)
            aside = self._applied.left_out(place, topic, offsets, ids)
            old_until = self._old_times.until.get(place, 0)
            for offset, record, event, told in read:
                if offset not in aside:
                    taken = DecodedEvent(place, source, record, event)
                    take(self._group, taken, batch.folded)
                    batch.taken.append(taken)
                    if told is not None and offset < old_until:
                        batch.old_times.update(self._old_times.of(told, event))
        batch.positions[place] = records[-1][0] + 1
        batch.events += len(records)

    def _store(self, batch: Batch) -> int:
        assert isinstance(batch, BuildBatch) and isinstance(self._shadow, BuildShadow)
        if batch.events:
            self._shadow.store_built(batch, self._group)
        self.events += batch.events
        return batch.events


def take(group: Group, taken: DecodedEvent, into: Folded) -> None:
    """Folds an event for all projections that accept it; notes the others in `taken.refused`."""
    while True:
        some = group.without(taken.refused) if taken.refused else group
        try:
            some.take(taken.event, taken.event.meta.event_id, taken.source, into)
            return
        except HandlerFailed as error:
            _note(taken, error)


def _folded(group: Group, taken: Iterable[DecodedEvent]) -> Folded:
    folded = Folded()
    for one in taken:
        take(group, one, folded)
    return folded


def _refuse(taken: Iterable[DecodedEvent], error: HandlerFailed) -> None:
    """Notes the refusal at its event; raises CannotRebuild if the event is not among `taken`."""
    for one in taken:
        if one.event is error.event:
            _note(one, error)
            return
    raise CannotRebuild(str(error)) from error


def _note(taken: DecodedEvent, error: HandlerFailed) -> None:
    reason = Failure("apply", type(error.__cause__).__name__, str(error))
    taken.refused[error.projection] = reason
    topic, partition = taken.place
    log.warning(
        "projection_refused_record", projection=error.projection, topic=topic,
        partition=partition, offset=taken.record.offset, error=reason.error_class,
    )  # fmt: skip


def _letter(taken: DecodedEvent, projection: str, failure: Failure) -> list[Any]:
    """The values for `rejected_events.NOTE`."""
    record = taken.record
    return [
        *taken.place,
        record.offset,
        projection,
        failure.stage,
        failure.error_class,
        failure.reason,
        UUID(bytes=taken.event.meta.event_id),
        record.key,
        record.value,
        headers_json(record.headers),
        min(max(record.timestamp, 0), LATEST_MS),
    ]
