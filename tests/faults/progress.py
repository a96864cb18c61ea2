"""Does consumption go on after a fault, and how soon? Positions and ends, all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from confluent_kafka import KafkaException

from tests.faults import reading
from tests.faults.reading import Place

BOUND_SECONDS = 30.0
LOOK_SECONDS = 0.1
POSITIONS = "select topic, partition, next_offset from hitotsu.checkpoint where grp = 'main'"
Sample = tuple[float, dict[Place, int]]


@dataclass(slots=True)
class Fault:
    """Something that was done to the system, from when to when."""

    name: str
    began: float
    ended: float = float("inf")


@dataclass(slots=True)
class Recovery:
    """How long after a fault's end every partition that had waited was read again."""

    fault: str
    seconds: float


@dataclass
class Progress:
    """Two threads that look; both live through every fault."""

    postgres: str
    kafka: str
    faults: list[Fault] = field(default_factory=list)
    positions: list[Sample] = field(default_factory=list)
    ends: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=look, daemon=True)
            for look in (self._look_at_positions, self._look_at_ends)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(30)

    @contextmanager
    def fault(self, name: str) -> Iterator[Fault]:
        """Notes when a fault began and when it was over."""
        fault = Fault(name, time.monotonic())
        self.faults.append(fault)
        yield fault
        fault.ended = time.monotonic()

    def wait_recovered(self, seconds: float = 3 * BOUND_SECONDS) -> float:
        """Waits until what the last fault held up goes on; how long that took."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self._recovery(self.faults[-1]).seconds
            if found != float("inf") and self.positions[-1][0] > self.faults[-1].ended:
                return found
            time.sleep(LOOK_SECONDS)
        return float("inf")

    def recoveries(self) -> list[Recovery]:
        """For each fault; where another came in between, its end is what counts."""
        return [self._recovery(fault) for fault in self.faults]

    def _recovery(self, fault: Fault) -> Recovery:
        before = _at(self.positions, fault.ended)
        ends = _at(self.ends, fault.ended)
        waiting = [place for place, end in ends.items() if end > before.get(place, 0)]
        for moment, now in self.positions:
            if moment > fault.ended and _moved(waiting, before, now):
                later = [
                    other.ended for other in self.faults if fault.ended < other.ended <= moment
                ]
                under_way = any(f.began < moment < f.ended for f in self.faults)
                since = moment if under_way else max([fault.ended, *later])
                return Recovery(fault.name, moment - since)
        return Recovery(fault.name, float("inf") if waiting else 0.0)

    def _look_at_positions(self) -> None:
        connection: psycopg.Connection[tuple[str, int, int]] | None = None
        while not self._ending.wait(LOOK_SECONDS):
            try:
                if connection is None:
                    connection = psycopg.connect(self.postgres, autocommit=True, connect_timeout=2)
                rows = connection.execute(POSITIONS).fetchall()
                self.positions.append((time.monotonic(), {(t, p): offset for t, p, offset in rows}))
            except psycopg.Error:
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _look_at_ends(self) -> None:
        while not self._ending.wait(10 * LOOK_SECONDS):
            try:
                before = time.monotonic()
                self.ends.append((before, reading.ends(self.kafka, timeout=2)))
            except KafkaException:
                continue


def _at(samples: list[Sample], moment: float) -> dict[Place, int]:
    """The newest sample of then, or the oldest of all."""
    for at, sample in reversed(samples):
        if at <= moment:
            return sample
    return samples[0][1] if samples else {}


def _moved(places: list[Place], before: dict[Place, int], now: dict[Place, int]) -> bool:
    return all(now.get(place, 0) > before.get(place, 0) for place in places)
