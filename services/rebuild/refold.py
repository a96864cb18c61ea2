"""How does the log become a whole group's rows, verdicts and counts? Read, judged, stored.

What Postgres cannot hold is found by halving: at most two transactions for each halving.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from projections.core.fold import HandlerFailed
from services.projector.batch import Failure, Slice, Verdict, decoded
from services.projector.writer import UNSTORABLE
from services.rebuild.books import Books
from services.rebuild.fold import CannotRebuild
from services.rebuild.judging import Judging, refusal
from services.verify.log import Log, Place

BATCH_EVENTS_MAX, READ_EVENTS_MAX = 20_000, 10_000
Read = tuple[list[Slice], bool]


class Refolding:
    """While a batch is judged and stored the next records are read and decoded."""

    def __init__(self, dsn: str, books: Books, log: Log, topics: Mapping[str, int]) -> None:
        self._books, self._log = books, log
        self._judging = Judging(dsn, books.live, books.group, topics)
        self._reader = ThreadPoolExecutor(1, "read")
        self.events = 0

    def close(self) -> None:
        """Waits for what is being read."""
        self._reader.shutdown(cancel_futures=True)
        self._judging.close()

    def left(self, ends: Mapping[Place, int]) -> int:
        """How many records are still to be folded up to these offsets."""
        return self._log.left(ends)

    def fold(self, ends: Mapping[Place, int], moved: Callable[[int], None]) -> None:
        """Everything before these offsets; `moved` is told how many records were stored.

        Raises `ChoiceVoid` when the folding has to begin anew.
        """
        self._check_places(ends)
        reading = self._reader.submit(self._read, ends)
        batch, size, done = list[Slice](), 0, False
        while not done:
            slices, done = reading.result()
            if not done:
                reading = self._reader.submit(self._read, ends)
            batch += slices
            size += sum(len(one.entries) for one in slices)
            if batch and (done or size >= BATCH_EVENTS_MAX):
                self._enter(batch)
                self.events += size
                moved(size)
                batch, size = [], 0
        self._books.resolve()

    def _check_places(self, ends: Mapping[Place, int]) -> None:
        for place, end in ends.items():
            if end and place not in self._log.positions:
                raise CannotRebuild(
                    f"{place[0]}-{place[1]} is a new partition: run `hitotsu rebuild --rejudge`"
                    " again, it goes on where it stood"
                )

    def _read(self, ends: Mapping[Place, int]) -> Read:
        found = self._log.read(ends, READ_EVENTS_MAX)
        slices = [
            Slice(topic, partition, records[0].offset, decoded(cast(Any, records), topic))
            for (topic, partition), records in found.items()
        ]
        return slices, not self._log.left(ends)

    def _enter(self, slices: list[Slice]) -> None:
        """In one transaction, or in as many as it takes; in order in any case."""
        parts = [slices]
        while parts:
            part = parts.pop()
            judged = self._judging.judge(part)
            try:
                self._books.enter(judged)
            except HandlerFailed as error:
                _mark(part, error)
                parts.append(part)
            except UNSTORABLE as error:
                parts += _halved(part, error)


def _mark(part: list[Slice], error: HandlerFailed) -> None:
    """An event that an evolution refuses: it is judged as put aside from now on."""
    for one in part:
        for entry in one.entries:
            if entry.event_id == error.event.meta.event_id and entry.verdict is Verdict.APPLIED:
                entry.failure = refusal(error)


def _halved(part: list[Slice], error: Exception) -> list[list[Slice]]:
    """The second half and, to be taken first, the first; the one record that cannot be stored."""
    size = sum(len(one.entries) for one in part)
    if size == 1:
        (entry,) = part[0].entries
        if entry.verdict is not Verdict.APPLIED or entry.failure is not None:
            raise CannotRebuild(
                f"{part[0].topic}-{part[0].partition}@{part[0].first} changes nothing, and Postgres"
                f" refuses it: {type(error).__name__}"
            ) from error
        entry.failure = Failure(
            "store", type(error).__name__, "Postgres cannot hold a value of this event"
        )
        return [part]
    first, second, room = list[Slice](), list[Slice](), size // 2
    for one in part:
        cut = min(room, len(one.entries))
        room -= cut
        if cut:
            first.append(Slice(one.topic, one.partition, one.first, one.entries[:cut]))
        if one.entries[cut:]:
            second.append(Slice(one.topic, one.partition, one.first + cut, one.entries[cut:]))
    return [second, first]
