"""Does a worker grow? A steady rate and rebalances; memory and descriptors looked at."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil

from tests.faults.scene import Order, Report, Say, Scene, scene
from tests.faults.verdict import Line

FULL, RATE, REBALANCE_SECONDS, LOOK_SECONDS = 10, 2_000, 20.0, 2.0
# a worker remembers its last 80,000 ids: at this rate, shared with visitors, that memory is full
# after two and a half minutes; and every worker is late now and then, when its batches are larger
# than ever: that is made to happen at first, so that what is measured is what grows afterwards
WARM_MINUTES, SLOPE_MB, DESCRIPTORS = 3.0, 1.0, 5
LATE_SECONDS, LATE_AT = 4.0, (20.0, 40.0, 60.0, 80.0, 100.0)
STAYING = ("projector-1", "projector-2")


@dataclass
class Looked:
    """One worker over time: minutes, resident megabytes, open descriptors."""

    pid: int
    samples: list[tuple[float, float, int]] = field(default_factory=list)

    def slope(self, since: float) -> float:
        """Megabytes a minute, by least squares."""
        points = [(at, mb) for at, mb, _ in self.samples if at >= since]
        if len(points) < 2:
            return float("inf")
        middle = sum(at for at, _ in points) / len(points)
        level = sum(mb for _, mb in points) / len(points)
        across = sum((at - middle) ** 2 for at, _ in points)
        return sum((at - middle) * (mb - level) for at, mb in points) / across

    def descriptors(self, since: float) -> int:
        """By how many the number of open ones grew, from a quarter of the time to the last one."""
        counts = [many for at, _, many in self.samples if at >= since]
        part = max(1, len(counts) // 4)
        return max(counts[-part:]) - max(counts[:part]) if counts else DESCRIPTORS + 1


def soak(order: Order, say: Say) -> Report:
    """So many minutes; a third worker joins and leaves, so that partitions move all the time."""
    report = Report("soak", order.size, order.seed)
    seconds = order.size * 60.0
    with scene(Order(round(RATE * seconds / 1.11), order.seed), say, rate=RATE) as play:
        play.begin()
        looked = {name: Looked(play.crew.pid(name)) for name in STAYING}
        report.faults = _watch(play, looked, seconds)
        judged = play.end()
        report.lines = [
            *play.lines(judged),
            *_flat(play, looked, min(WARM_MINUTES, order.size / 3)),
        ]
        report.notes = [_told(name, one) for name, one in looked.items()]
    return report


def _watch(play: Scene, looked: dict[str, Looked], seconds: float) -> int:
    began, steps, late = time.monotonic(), 0, list(LATE_AT)
    while (passed := time.monotonic() - began) < seconds and not play.sender.done:
        for name, one in looked.items():
            process = psutil.Process(play.crew.pid(name))
            megabytes = process.memory_info().rss / 1e6
            one.samples.append((passed / 60, megabytes, process.num_fds()))
        if late and passed > late[0]:
            late.pop(0)
            _make_late(looked.values())
        if passed > (steps + 1) * REBALANCE_SECONDS:
            steps += 1
            _rebalance(play, steps)
        time.sleep(LOOK_SECONDS)
    return steps


def _make_late(workers: Iterable[Looked]) -> None:
    """Frozen for less time than Postgres or Kafka take who is silent for dead."""
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for one in workers:
            psutil.Process(one.pid).send_signal(number)
        if number is signal.SIGSTOP:
            time.sleep(LATE_SECONDS)


def _rebalance(play: Scene, number: int) -> None:
    if number % 2:
        with play.progress.fault("join"):
            play.join(f"visitor-{number}")
        return
    with play.progress.fault("leave"):
        play.crew.remove(f"visitor-{number - 1}", signal.SIGTERM)


def _flat(play: Scene, looked: dict[str, Looked], since: float) -> list[Line]:
    lines = []
    for name, one in looked.items():
        slope, grown = one.slope(since), one.descriptors(since)
        many = len(one.samples)
        lines += [
            Line(f"{name}: MB a minute", many, int(slope >= SLOPE_MB), f"{slope:+.2f} MB/min"),
            Line(f"{name}: descriptors", many, int(abs(grown) > DESCRIPTORS), f"{grown:+d}"),
            Line(f"{name}: the same process", 1, int(play.crew.pid(name) != one.pid)),
        ]
    return lines


def _told(name: str, one: Looked) -> str:
    minutes: dict[int, float] = {}
    for at, megabytes, _ in one.samples:
        minutes[int(at)] = max(megabytes, minutes.get(int(at), 0.0))
    levels = " ".join(f"{megabytes:.0f}" for megabytes in minutes.values())
    first, last = one.samples[0][1], one.samples[-1][1]
    return f"{name}: {first:.0f} MB at first, {last:.0f} at last; most by minute: {levels}"
