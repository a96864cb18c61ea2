"""A watchdog: measures the lag by partition, and ends the process if it makes no progress.

A worker can stay alive but idle after a restart of a broker. The watchdog compares the positions of
held partitions with their end offsets, which it reads by its own Kafka client. If there is lag and
no progress for `STUCK_SECONDS`, it ends the process, unless a long transaction is known to run. It
also ends a process that gets no partitions, or whose end offsets stay unknown (`reason_to_leave`).
An end offset that cannot be read is unknown: the metric is NaN, neither lag nor progress.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.runtime.end_offsets import EndOffsets, Place, TopicEnds
from services.runtime.logging import log
from services.runtime.metrics import LAG, LAST_PROGRESS, NEXT_OFFSET

STUCK_SECONDS = 30.0
# until the first claim: other members of the consumer group may take long to give up partitions
JOIN_SECONDS = 120.0
# end offsets stay unknown although Kafka answers: a new process may get its partitions anew
UNKNOWN_SECONDS = 120.0
ASK_SECONDS = 1.0
COLLECT_ROUNDS = 60


@dataclass(slots=True)
class ProgressJudge:
    """Decides at each poll whether the process makes progress.

    `lag`: None before the first claim and while the end offset of a held partition is unknown.
    `known`: the lag of the held partitions whose end offset is known. `moved_at`: when there was
    progress last, or Kafka did not answer, or a long transaction ran.
    """

    now: Callable[[], float] = time.monotonic
    moved_at: float = field(init=False)
    lag: int | None = None
    known: int = 0
    _before: Mapping[Place, int] | None = None
    _ends_before: Mapping[Place, int] | None = None

    def __post_init__(self) -> None:
        self.moved_at = self.now()

    def look(self, held: Mapping[Place, int] | None, asked: EndOffsets | None, busy: bool) -> bool:
        """Judges a poll; returns whether there is progress, nothing to do, or a long transaction.

        `held`: positions by partition; None before the first claim. `asked`: end offsets; None if
        Kafka did not answer, which is no reason to end the process. `busy`: a long transaction
        runs.
        """
        ends = None if asked is None else asked.ends
        self._measure(held, ends)
        if held:
            moved = self._advanced(held) or self.lag == 0
        else:
            # a process without partitions has nothing to do as long as no records arrive at all
            moved = held is not None and ends is not None and ends == self._ends_before
        self._before, self._ends_before = held, ends
        if moved or busy or asked is None:
            self.moved_at = self.now()
        return moved or busy

    def reason_to_leave(self) -> str | None:
        """Why the process should be restarted; None if it should go on."""
        still = self.now() - self.moved_at
        if self._before is None:
            return f"no partitions within {JOIN_SECONDS:.0f} s" if still > JOIN_SECONDS else None
        if still > STUCK_SECONDS and not self._before:
            return f"no partitions while records arrived for {STUCK_SECONDS:.0f} s"
        if still > STUCK_SECONDS and self.known > 0:
            return f"no progress for {STUCK_SECONDS:.0f} s with a lag of {self.known} records"
        if still > UNKNOWN_SECONDS and self.lag is None:
            return f"end offsets of held partitions unknown for {UNKNOWN_SECONDS:.0f} s"
        return None

    def _advanced(self, held: Mapping[Place, int]) -> bool:
        """Whether a position advanced since the last poll; a new assignment is not progress."""
        before = self._before or {}
        return any(offset > before.get(place, offset) for place, offset in held.items())

    def _measure(self, held: Mapping[Place, int] | None, ends: Mapping[Place, int] | None) -> None:
        behind = [behind_of(ends, place, offset) for place, offset in (held or {}).items()]
        known = [one for one in behind if one is not None]
        self.known = sum(known)
        is_known = held is not None and ends is not None and len(known) == len(behind)
        self.lag = self.known if is_known else None


class ProgressWatch:
    """The watchdog's thread, which polls once a second."""

    def __init__(
        self,
        kafka: str,
        group: str,
        topics: list[str],
        held: Callable[[], Mapping[Place, int] | None],
        leave: Callable[[str], None],
        busy: Callable[[], bool],
    ) -> None:
        """`held`: returns the positions of this process's partitions; None before its first claim.

        `leave`: ends the process with a reason. `busy`: whether a long transaction runs.
        """
        self._kafka = kafka
        self._group = group
        self._topics = topics
        self._held = held
        self._leave = leave
        self._busy = busy
        self._judge = ProgressJudge()
        self._shown: set[Place] = set()
        self._progress = LAST_PROGRESS.labels(group)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()), name="watch", daemon=True
        )
        self._ending = threading.Event()
        self.seen_at = 0.0
        self.holding = 0

    @property
    def lag(self) -> int | None:
        """Number of records between positions and end offsets of held partitions; None: unknown."""
        return self._judge.lag

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the current poll, and closes its clients."""
        self._ending.set()
        self._thread.join(10)

    async def _run(self) -> None:
        ends = TopicEnds(self._kafka, self._topics, "projector-watch")
        rounds = 0
        try:
            while not self._ending.is_set():
                await asyncio.sleep(ASK_SECONDS)
                rounds += 1
                if rounds % COLLECT_ROUNDS == 0:
                    # the collector is off in this process; clients leave some cycles behind
                    gc.collect()
                    _give_back()
                await self._look(ends)
        except Exception as error:  # the watchdog ends, so the process has to
            self._leave(f"watch: {type(error).__name__}")
        finally:
            await ends.close()

    async def _look(self, ends: TopicEnds) -> None:
        # positions are read first, so that an end offset is never below its position
        held = None if (now := self._held()) is None else dict(now)
        asked: EndOffsets | None = None
        try:
            asked = await ends.ask(() if held is None else held)
        except Exception as error:  # whatever the client raises: Kafka is away
            log.warning("kafka_away", error=type(error).__name__)
        moves = self._judge.look(held, asked, self._busy())
        self._show(held or {}, asked)
        if moves:
            self._progress.set(time.time())
        elif (reason := self._judge.reason_to_leave()) is not None:
            self._leave(reason)

    def _show(self, held: Mapping[Place, int], asked: EndOffsets | None) -> None:
        ends = None if asked is None else asked.ends
        for (topic, partition), offset in held.items():
            behind = behind_of(ends, (topic, partition), offset)
            shown = math.nan if behind is None else behind
            LAG.labels(self._group, topic, str(partition)).set(shown)
            NEXT_OFFSET.labels(self._group, topic, str(partition)).set(offset)
        for topic, partition in self._shown - held.keys():
            for gauge in (LAG, NEXT_OFFSET):  # the partition's new owner reports these
                gauge.remove(self._group, topic, str(partition))
        self._shown, self.holding = set(held), len(held)
        if asked is not None:
            self.seen_at = time.monotonic()


def behind_of(ends: Mapping[Place, int] | None, place: Place, offset: int) -> int | None:
    """Number of records from `offset` to the end of a partition; None if its end is unknown."""
    end = None if ends is None else ends.get(place)
    return None if end is None else max(0, end - offset)


def _give_back() -> None:
    """Returns free heap memory to the system, if libc has malloc_trim."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
