"""Does a worker grow? A steady rate and rebalances; memory and descriptors looked at."""

from __future__ import annotations

import signal
import time
import urllib.request
from dataclasses import dataclass, field

import psutil

from tests.faults.scene import Order, Report, Say, Scene, scene
from tests.faults.verdict import Line

FULL, RATE, REBALANCE_SECONDS, LOOK_SECONDS = 10, 2_000, 20.0, 2.0
# a worker's memory is bounded by what it may have taken over at once, and its resident size
# remembers the most there ever was: so it is made to hold that much at first (nobody sends for a
# while, and then everything at once), and what is measured is what grows afterwards. A leak that
# hides in what was left free then is seen by the fewest blocks that are held in a minute
WARM_MINUTES, SLOPE_MB, MOST_MB, BLOCKS_PERCENT, DESCRIPTORS = 3.0, 1.0, 315.0, 1.0, 5
HOLD_SECONDS, HOLD_AT = 40.0, (10.0, 70.0)
STAYING = ("projector-1", "projector-2")


@dataclass(frozen=True, slots=True)
class Sample:
    """Minutes since the beginning, resident megabytes, open descriptors, blocks held."""

    at: float
    megabytes: float
    descriptors: int
    blocks: float


@dataclass
class Looked:
    """One worker over time."""

    pid: int
    samples: list[Sample] = field(default_factory=list)

    def slope(self, since: float) -> float:
        """Megabytes a minute."""
        return _slope([(one.at, one.megabytes) for one in self.samples if one.at >= since])

    def growth(self, since: float) -> float:
        """By how many percent a minute the fewest blocks of each minute grew."""
        least: dict[int, float] = {}
        for one in self.samples:
            if one.at >= since:
                least[int(one.at)] = min(one.blocks, least.get(int(one.at), one.blocks))
        return 100 * _slope(list(least.items())) / min(least.values(), default=1.0)

    def descriptors(self, since: float) -> int:
        """By how many the number of open ones grew, from a quarter of the time to the last one."""
        counts = [one.descriptors for one in self.samples if one.at >= since]
        part = max(1, len(counts) // 4)
        return max(counts[-part:]) - max(counts[:part]) if counts else DESCRIPTORS + 1


def _slope(points: list[tuple[float, float]]) -> float:
    """By least squares."""
    if len(points) < 2:
        return float("inf")
    middle = sum(at for at, _ in points) / len(points)
    level = sum(value for _, value in points) / len(points)
    across = sum((at - middle) ** 2 for at, _ in points)
    return sum((at - middle) * (value - level) for at, value in points) / across


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
    began, steps, holds = time.monotonic(), 0, list(HOLD_AT)
    while (passed := time.monotonic() - began) < seconds and not play.sender.done:
        for name, one in looked.items():
            process = psutil.Process(play.crew.pid(name))
            megabytes, held = process.memory_info().rss / 1e6, _blocks(play, name)
            one.samples.append(Sample(passed / 60, megabytes, process.num_fds(), held))
        if holds and passed > holds[0]:
            holds.pop(0)
            play.sender.hold(HOLD_SECONDS)
        if passed > (steps + 1) * REBALANCE_SECONDS:
            steps += 1
            _rebalance(play, steps)
        time.sleep(LOOK_SECONDS)
    return steps


def _blocks(play: Scene, name: str) -> float:
    """As the worker itself says."""
    url = f"http://127.0.0.1:{play.crew.members[name].port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("hitotsu_heap_blocks "):
                return float(line.split()[1])
    raise LookupError("the worker does not say how much it holds")


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
        slope, grown, held = one.slope(since), one.descriptors(since), one.growth(since)
        many, most = len(one.samples), max(sample.megabytes for sample in one.samples)
        lines += [
            Line(f"{name}: MB a minute", many, int(slope >= SLOPE_MB), f"{slope:+.2f} MB/min"),
            Line(f"{name}: MB at most", many, int(most > MOST_MB), f"{most:.0f} MB"),
            Line(f"{name}: blocks held", many, int(held >= BLOCKS_PERCENT), f"{held:+.2f} %/min"),
            Line(f"{name}: descriptors", many, int(abs(grown) > DESCRIPTORS), f"{grown:+d}"),
            Line(f"{name}: the same process", 1, int(play.crew.pid(name) != one.pid)),
        ]
    return lines


def _told(name: str, one: Looked) -> str:
    minutes: dict[int, float] = {}
    for sample in one.samples:
        minutes[int(sample.at)] = max(sample.megabytes, minutes.get(int(sample.at), 0.0))
    levels = " ".join(f"{megabytes:.0f}" for megabytes in minutes.values())
    first, last = one.samples[0].megabytes, one.samples[-1].megabytes
    return f"{name}: {first:.0f} MB at first, {last:.0f} at last; most by minute: {levels}"
