"""Turns fetched records into transactions: one thread folds, another thread stores.

While a transaction runs, the next batch is decoded and folded, and grows. So batches are large
while the projector is behind, and small while it keeps up.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from projections.core.fold import Group
from services.projector.apply import Fenced
from services.projector.batch import BatchWork, ConsumerRecord, Recent, Slice, decoded
from services.runtime.logging import log
from services.runtime.metrics import BATCH_SECONDS

BATCH_EVENTS_MAX = 8_000
SLICE_EVENTS_MAX = 2_000
WAITING_EVENTS_MAX = 12_000
SMALL_EVENTS = 500
STEPS = ("fold", "store")  # values of a label of the metric of batch times
Place = tuple[str, int]
Fetched = Sequence[tuple[Place, list[ConsumerRecord]]]


@dataclass(slots=True)
class FetchedSlice:
    """Consecutive records of one partition, from one fetch."""

    place: Place
    records: list[ConsumerRecord]


@dataclass
class Pipeline:
    """Takes fetched records of held partitions; calls `apply` with one folded batch at a time.

    `failed`: called when a thread ends by an error. `expected`: the next offset by partition.
    `run`: number of the present assignment; records and batches of earlier ones are dropped.
    """

    group: Group
    topics: dict[str, int]
    recent: Recent
    guard: threading.RLock  # protects `recent`, which both threads use
    apply: Callable[[BatchWork], None]
    failed: Callable[[BaseException], None]
    expected: dict[Place, int] = field(default_factory=dict)
    run: int = 0
    room: Callable[[], object] = lambda: None  # called when `offer` can take refused records

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._arrived: deque[FetchedSlice] = deque()
        self._waiting = 0
        self._refused = False
        self._ready: BatchWork | None = None
        self._storing = False
        self._folding = False
        self._stopping = False
        self._abandoned = False
        self._threads = [
            threading.Thread(target=self._guarded, args=[loop], name=name, daemon=True)
            for loop, name in ((self._fold_loop, "fold"), (self._store_loop, "store"))
        ]

    def start(self) -> None:
        """Starts both threads."""
        for thread in self._threads:
            thread.start()

    def offer(self, fetched: Fetched, run: int) -> Fetched:
        """Accepts fetched records; returns those for which there is no room yet (back-pressure).

        Drops records of another `run`: a claim of partitions has moved the positions since.
        """
        with self._changed:
            if run != self.run:
                return []
            self._changed.notify_all()
            for taken, (place, records) in enumerate(fetched):
                if self._waiting >= WAITING_EVENTS_MAX:
                    self._refused = True
                    return fetched[taken:]
                for start in range(0, len(records), SLICE_EVENTS_MAX):
                    self._arrived.append(
                        FetchedSlice(place, records[start : start + SLICE_EVENTS_MAX])
                    )
                self._waiting += len(records)
            return []

    @property
    def behind(self) -> bool:
        """Whether more than `SLICE_EVENTS_MAX` records wait to be folded."""
        return self._waiting > SLICE_EVENTS_MAX

    def drop(self, timeout: float) -> bool:
        """Drops all records except the batch that is being stored, and waits until both threads
        are idle.

        Returns whether they were within `timeout` seconds.
        """
        with self._changed:
            self.run += 1
            self._arrived.clear()
            self._waiting = 0
            self._ready = None
            self._make_room()
            self._changed.notify_all()
            quiet = self._changed.wait_for(lambda: not (self._storing or self._folding), timeout)
            self._ready = None
        with self.guard:
            self.recent.clear()
            self.expected.clear()
        return quiet

    def wanted(self, work: BatchWork) -> bool:
        """Whether the batch is of the present assignment, and the pipeline is not stopping."""
        return work.run == self.run and not self._abandoned

    def drain(self, timeout: float) -> bool:
        """Waits until all accepted records are stored; False if not within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not (self._arrived or self._ready or self._storing or self._folding),
                timeout,
            )

    def stop(self) -> bool:
        """Ends both threads after their current batch; waits up to 10 s for each. False if one of
        them still runs.
        """
        with self._changed:
            self._stopping = self._abandoned = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(10)
        return not any(thread.is_alive() for thread in self._threads)

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:
            self.failed(error)

    def _fold_loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping or (self._arrived and self._ready is None)
                )
                if self._stopping:
                    return
                work = BatchWork(run=self.run)
                self._folding = True
            self._gather(work)
            with self._changed:
                self._folding = False
                if work.slices and work.run == self.run:
                    self._ready = work
                self._changed.notify_all()

    def _gather(self, work: BatchWork) -> None:
        """Folds arriving records into the batch until `_more` says that it is complete."""
        while True:
            with self._changed:
                if not self._more(work):
                    return
                arrived = self._arrived.popleft()
                self._waiting -= len(arrived.records)
                self._make_room()
            started = time.perf_counter()
            self._fold(work, arrived)
            BATCH_SECONDS.labels(self.group.name, "fold").observe(time.perf_counter() - started)

    def _make_room(self) -> None:
        """Calls `room` if `offer` has refused records and now has room.

        The caller holds the lock `_changed`.
        """
        if self._refused and self._waiting < WAITING_EVENTS_MAX:
            self._refused = False
            self.room()

    def _more(self, work: BatchWork) -> bool:
        """Whether records have arrived that fit into the batch; waits for them while the store
        thread stores another batch.

        Also False if the store thread is free and the batch has `SMALL_EVENTS` records.
        """
        while not self._stopping and work.run == self.run and work.size < BATCH_EVENTS_MAX:
            if not self._storing and work.size >= SMALL_EVENTS:
                return False
            if self._arrived:
                return True
            if not (work.slices and self._storing):
                return False
            self._changed.wait(0.5)
        return False

    def _fold(self, work: BatchWork, arrived: FetchedSlice) -> None:
        topic, partition = arrived.place
        with self.guard:
            expected = self.expected.get(arrived.place)
            if expected is None or work.run != self.run:
                return
            records = [record for record in arrived.records if record.offset >= expected]
            if not records:
                return
            one = Slice(topic, partition, records[0].offset, decoded(records, topic))
            if records[-1].offset != one.end - 1 or one.first != expected:
                log.error(
                    "offset_gap",
                    topic=topic,
                    partition=partition,
                    expected=expected,
                    first=one.first,
                )
                raise GapInLog(
                    f"{topic}-{partition}: expected {expected}, got {one.first} to"
                    f" {records[-1].offset}"
                )
            work.add(one, self.group, self.recent, self.topics)
            self.expected[arrived.place] = one.end

    def _store_loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._ready is not None)
                if self._ready is None:
                    return
                work, self._storing = self._ready, True
            self._begin(work)
            try:
                self.apply(work)
            except Fenced:
                if self.wanted(work):
                    raise
            finally:
                with self._changed:
                    self._storing = False
                    self._changed.notify_all()

    def _begin(self, work: BatchWork) -> None:
        """Makes the batch's event ids known to `recent`; only then is the next batch folded."""
        with self.guard:
            work.begin(self.group, self.recent, self.topics)
        with self._changed:
            if self._ready is work:
                self._ready = None
            self._changed.notify_all()


class GapInLog(Exception):
    """Fetched records do not continue at the next offset of their partition."""
