"""Folds the log into the shadow of a group: reads, judges and stores batch by batch.

If Postgres refuses a batch, the batch is halved until the offending record is alone; that becomes a
dead letter. A part is judged only after all records before it are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from projections.core.fold import HandlerFailed
from services.projector.batch import Failure, Slice, Verdict, decoded
from services.projector.writer import UNSTORABLE
from services.rebuild.fold import CannotRebuild
from services.rebuild.group_shadow import GroupShadow
from services.rebuild.verdicts import VerdictJudge, refusal
from services.runtime.config import Settings
from services.runtime.record_at import KafkaSilent, RecordReader
from services.verify.log import Log, LogUnreadable, Place

BATCH_EVENTS_MAX, READ_EVENTS_MAX = 20_000, 10_000
SILENT = "Kafka did not return the applied record with which a resend has to be compared"
Batch = list[Slice]


class Refolding:
    """Folds a whole group; reads the next records while the present batch is judged and stored.

    `topics`: numbers of topics in ledgers, by name.
    """

    def __init__(
        self, settings: Settings, shadow: GroupShadow, log: Log, topics: Mapping[str, int]
    ) -> None:
        self._shadow, self._log = shadow, log
        self._placed = RecordReader(settings.kafka)
        self._judge = VerdictJudge(
            settings.postgres, shadow.live, shadow.group, topics, self._placed
        )
        self._reader = ThreadPoolExecutor(1, "read")
        self.events = 0

    def close(self) -> None:
        """Waits for the running read, and closes the connections."""
        self._reader.shutdown(cancel_futures=True)
        self._placed.close()
        self._judge.close()

    def left(self, ends: Mapping[Place, int]) -> int:
        """Number of offsets still to be read before `ends`."""
        return self._log.left(ends)

    def fold(self, ends: Mapping[Place, int], moved: Callable[[int], None]) -> None:
        """Judges and stores all records before `ends`.

        `moved` is called after each stored batch, with its number of records. Raises `ChoiceVoid`
        if the fold has to restart, CannotRebuild, and LogUnreadable.
        """
        self._check_places(ends)
        reading = self._reader.submit(self._read, ends)
        batch, size, done = Batch(), 0, False
        while not done:
            slices, done = reading.result()
            if not done:
                reading = self._reader.submit(self._read, ends)
            batch += slices
            size += _size(slices)
            if batch and (done or size >= BATCH_EVENTS_MAX):
                self.store(batch)
                self.events += size
                moved(size)
                batch, size = Batch(), 0
        try:
            self._shadow.resolve_deferred(self._placed)
        except KafkaSilent:
            raise LogUnreadable(SILENT) from None

    def store(self, batch: Batch) -> None:
        """Judges and stores a batch: in one transaction, or in ordered parts if that fails."""
        parts = [batch]
        while parts:
            part = parts.pop()
            try:
                judged = self._judge.judge(part)
                self._shadow.store_judged(judged)
            except KafkaSilent:
                raise LogUnreadable(SILENT) from None
            except HandlerFailed as error:
                _put_aside(part, error)
                parts.append(part)
            except UNSTORABLE as error:
                parts += _unstorable(part, error) if _size(part) == 1 else _halves(part)

    def _check_places(self, ends: Mapping[Place, int]) -> None:
        for place, end in ends.items():
            if end and place not in self._log.positions:
                raise CannotRebuild(
                    f"{place[0]}-{place[1]} became a partition during the rebuild: run"
                    " `hitotsu rebuild --rejudge` again, it continues where it stopped"
                )

    def _read(self, ends: Mapping[Place, int]) -> tuple[Batch, bool]:
        fetched = self._log.read(ends, READ_EVENTS_MAX)
        slices = [
            Slice(topic, partition, records[0].offset, decoded(cast(Any, records), topic))
            for (topic, partition), records in fetched.items()
        ]
        return slices, not self._log.left(ends)


def _size(batch: Batch) -> int:
    return sum(len(part.entries) for part in batch)


def _put_aside(batch: Batch, error: HandlerFailed) -> None:
    """Marks the refused event's entry as failed, so that it is judged a dead letter."""
    for part in batch:
        for entry in part.entries:
            if entry.event_id == error.event.meta.event_id and entry.verdict is Verdict.APPLIED:
                entry.failure = refusal(error)


def _unstorable(batch: Batch, error: Exception) -> list[Batch]:
    """Marks the batch's only record as failed, so that it is judged a dead letter; returns a list
    of the batch alone.

    Raises CannotRebuild if the record was not to be applied.
    """
    (part,) = batch
    (entry,) = part.entries
    if entry.verdict is not Verdict.APPLIED:
        raise CannotRebuild(
            f"Postgres refuses {part.topic}-{part.partition}@{part.first}, which is not applied"
            f" and changes no row: {type(error).__name__}"
        ) from error
    reason = "Postgres cannot hold a value of this event"
    entry.failure = Failure("store", type(error).__name__, reason)
    return [batch]


def _halves(batch: Batch) -> list[Batch]:
    """The second half of the records, then the first half: the caller pops from the end."""
    first, second, room = Batch(), Batch(), _size(batch) // 2
    for part in batch:
        cut = min(room, len(part.entries))
        room -= cut
        if cut:
            first.append(Slice(part.topic, part.partition, part.first, part.entries[:cut]))
        if part.entries[cut:]:
            start = part.first + cut
            second.append(Slice(part.topic, part.partition, start, part.entries[cut:]))
    return [second, first]
