"""What do all runs have in common? A stage, a log that flows, workers, and the end of it all."""

from __future__ import annotations

import random
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults import disorder, reading
from tests.faults.crew import Crew
from tests.faults.disorder import Log, Shares
from tests.faults.progress import Progress
from tests.faults.reading import Judged, Place
from tests.faults.sending import Sender
from tests.faults.stage import Stage, stage
from tests.faults.stored import Checkpoints, Stored
from tests.faults.verdict import Line, in_time, verdict

PROJECTOR, PLANTED = "services.projector", "tests.faults.planted"
STILL_SECONDS, LOOK_SECONDS, REPAIR_SECONDS = 2.0, 0.25, 30.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """How much of a run is wanted, and by which seed."""

    size: int
    seed: int = 1


@dataclass
class Report:
    """What a run showed."""

    name: str
    size: int
    seed: int
    faults: int = 0
    seconds: float = 0.0
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    planted: bool = False

    @property
    def differences(self) -> int:
        return sum(line.differences for line in self.lines)

    @property
    def good(self) -> bool:
        """No difference, or with a bug planted: at least one. Nothing compared is nothing shown."""
        shown = bool(self.lines) and all(line.compared for line in self.lines)
        return (self.differences > 0) == self.planted and (shown or self.planted)


@dataclass
class Scene:
    """A run under way."""

    stage: Stage
    log: Log
    crew: Crew
    sender: Sender
    stored: Stored
    progress: Progress
    chance: random.Random
    say: Say
    plant: str = ""
    worker_env: Mapping[str, str] = field(default_factory=dict)

    settled_at: float = 0.0

    def join(self, name: str) -> None:
        """One more worker."""
        module = PLANTED if self.plant else PROJECTOR
        self.crew.add(name, module, HITOTSU_TEST_PLANT=self.plant, **self.worker_env)

    def begin(self, workers: int = 2) -> None:
        """Workers, the watch over them, and as soon as they hold partitions, the flow."""
        self.begin_workers(workers)
        self.wait_claimed(workers)
        self.sender.start()

    def begin_workers(self, workers: int) -> None:
        """The same without the flow."""
        for number in range(workers):
            self.join(f"projector-{number + 1}")
        self.progress.start()

    def end(self, patience: float = 60.0) -> Judged:
        """Ends the flow, waits until everything is applied, and judges the log.

        Not before every kind of event was sent: a table without rows would compare nothing.
        """
        while not self.sender.done and self.sender.sent < self.log.varied:
            time.sleep(LOOK_SECONDS)
        if not self.sender.done:
            self.sender.stop()
        self.sender.join()
        self.log = self.log.first(self.sender.sent)
        return self.settle(patience)

    def settle(self, patience: float) -> Judged:
        """Waits until everything is applied or nothing moves any more, and judges the log."""
        seconds = settle(self.stage.endpoints.kafka, self.stored, patience)
        self.settled_at = time.monotonic() - STILL_SECONDS
        self.progress.stop()
        self.say(f"settled after {seconds:.1f} s")
        return reading.judge(self.stage.endpoints.kafka)

    def lines(self, judged: Judged, complete: bool = False) -> list[Line]:
        """Everything compared; Redis is repaired after the commit, so it gets a moment."""
        deadline = time.monotonic() + (0 if self.plant else REPAIR_SECONDS)
        while True:
            lines = verdict(judged, self.stored, self.log, complete)
            if not any(line.differences for line in lines) or time.monotonic() > deadline:
                break
            time.sleep(5)
        faults = self.progress.recoveries()
        return [*lines, in_time(faults)] if faults else lines

    def pause(self, seconds: float) -> None:
        """Lets it flow for a while."""
        time.sleep(seconds)

    def wait_ready(self, port: int, seconds: float = 60.0) -> None:
        """Until a service answers that it is ready."""
        self._wait(lambda: _answers(port), f"port {port} ready", seconds)

    def wait_applied(self, records: int, seconds: float = 60.0) -> None:
        """Until so many records were taken."""

        def there() -> bool:
            counts = self.stored.checkpoints().values()
            return sum(count["next_offset"] for count in counts) >= records

        self._wait(there, f"{records} records applied", seconds)

    def wait_claimed(self, workers: int, seconds: float = 60.0) -> None:
        """Until so many workers hold partitions."""
        self._wait(
            lambda: len(self.stored.owners()) >= workers, f"{workers} workers at work", seconds
        )

    def _wait(self, holds: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not after {seconds:.0f} s: {what}")
            time.sleep(LOOK_SECONDS)


@contextmanager
def scene(
    order: Order, say: Say, *, rate: int = 0, plant: str = "", edge: bool = False,
    shares: Shares | None = None,
) -> Iterator[Scene]:  # fmt: skip
    """Sets one up, with nothing at work yet; takes it down whatever happens."""
    log = disorder.log(order.seed, order.size, edge, shares)
    with stage() as place:
        crew = Crew(place.env, place.logs)
        stored = Stored(place.endpoints.postgres, place.endpoints.redis)
        progress = Progress(place.endpoints.postgres, place.endpoints.kafka)
        try:
            yield Scene(
                place,
                log,
                crew,
                Sender(place.endpoints.kafka, log.appends, rate),
                stored,
                progress,
                random.Random(f"faults {order.seed}"),
                say,
                plant,
            )
        finally:
            crew.stop()
            progress.stop()
            stored.close()


def settle(kafka: str, stored: Stored, patience: float) -> float:
    """Until every partition is applied to its end, or nothing moves; the seconds it took."""
    began = moved = time.monotonic()
    before: object = None
    while time.monotonic() - moved < patience:
        ends, now, unsaid = reading.ends(kafka), stored.checkpoints(), stored.unrelayed()
        if (now, ends, unsaid) != before:
            before, moved = (now, ends, unsaid), time.monotonic()
        elif not unsaid and _through(now, ends) and time.monotonic() - moved > STILL_SECONDS:
            break
        time.sleep(LOOK_SECONDS)
    return moved - began


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _through(now: Checkpoints, ends: dict[Place, int]) -> bool:
    return all(now.get(place, Counter())["next_offset"] == end for place, end in ends.items())
