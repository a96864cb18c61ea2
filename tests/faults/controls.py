"""Would the runs notice? Each bug is planted, and what a fault does to it must be seen.

The faults are those that the bug is about: an owner put out behind its back, a process killed in
the middle of its transaction, one choking on a fetch. Without the bug they leave no trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from tests.faults.gate import CHECKPOINT, DEAD_LETTER, Gate
from tests.faults.planted import GONE
from tests.faults.reading import Judged
from tests.faults.scene import Order, Report, Say, Scene, scene
from tests.faults.swaps import swaps
from tests.faults.verdict import Line, not_ahead

RATE, BETWEEN_SECONDS, PATIENCE = 600, 2.0, 12.0
Run = Callable[[Order, Say], Report]
COUNTS = ("counts by partition", "dead letters", "dead letters, whole")


class Missing(Exception):
    """A place of the product in which a bug was to be planted is gone."""


class Idle(Exception):
    """The projector with the bug did not work at all, so nothing was shown."""


def killed(order: Order, say: Say, plant: str = "", place: int = CHECKPOINT) -> Report:
    """SIGKILL in the middle of a transaction, so many times; Redis is looked at meanwhile."""
    report = Report("killed inside", order.size, order.seed, planted=bool(plant))
    events = Order(RATE * round(8 + 6 * order.size), order.seed)
    with scene(events, say, rate=RATE, plant=plant) as play:
        gate = Gate(play.stage.endpoints.postgres, play.crew)
        try:
            play.begin()
            ahead = Line("redis not ahead of postgres", 0, 0)
            for _ in range(order.size):
                time.sleep(BETWEEN_SECONDS)
                ahead = _more(ahead, _kill(play, gate, place))
                report.faults += 1
        finally:
            gate.close()
        _finish(play, report, [ahead])
    return report


def left_alone(order: Order, say: Say, plant: str = "") -> Report:
    """No fault at all: resends, late and corrupt records are enough."""
    report = Report("left alone", order.size, order.seed, planted=bool(plant))
    with scene(Order(RATE * 20, order.seed), say, rate=RATE, plant=plant) as play:
        play.begin()
        play.sender.join()
        report.faults = len(play.crew.said("escaped"))
        _finish(play, report, [])
    return report


def _kill(play: Scene, gate: Gate, place: int) -> Line:
    with gate.shut(place):
        name, backend = gate.caught(place)
        line = not_ahead(play.stored)
        with play.progress.fault(f"killed at {place}"):
            play.crew.kill(name)
        gate.end(backend)
    play.say(f"SIGKILL to {name} inside its transaction, redis ahead by {line.differences} rows")
    return line


def _more(one: Line, other: Line) -> Line:
    return Line(
        one.name, one.compared + other.compared, one.differences + other.differences,
        one.first or other.first,
    )  # fmt: skip


def _ran(play: Scene, judged: Judged) -> None:
    """A projector that did nothing differs too: that catches no bug."""
    sent = sum(count.total() for count in judged.counts.values())
    done = sum(count["next_offset"] for count in play.stored.checkpoints().values())
    if done < sent / 2:
        raise Idle(f"{play.plant}: {done} of {sent} records taken: {play.crew.left}")


def _finish(play: Scene, report: Report, lines: list[Line]) -> None:
    judged = play.end(PATIENCE if report.planted else 60.0)
    if play.crew.left[f"tests.faults.planted exit {GONE}"]:
        raise Missing(play.plant)
    report.lines = [*play.lines(judged), *lines]
    _ran(play, judged)
    report.notes = [f"left: {why} ({many})" for why, many in play.crew.reasons().items()]


def only(run: Run, names: Callable[[str], bool]) -> Run:
    """Judged by these comparisons alone."""

    def judged(order: Order, say: Say) -> Report:
        report = run(order, say)
        report.lines = [line for line in report.lines if names(line.name)]
        return report

    return judged


CONTROLS: dict[str, Run] = {
    "no-comparison": only(partial(swaps, plant="no-comparison"), lambda name: name in COUNTS),
    "neither": only(partial(swaps, plant="neither"), lambda name: name == "point_entry"),
    "offset-outside": partial(killed, plant="offset-outside"),
    "no-dedupe": only(partial(left_alone, plant="no-dedupe"), lambda name: name == "point_entry"),
    "redis-first": only(
        partial(killed, plant="redis-first"), lambda name: name.startswith("redis")
    ),
    "escaping": partial(left_alone, plant="escaping"),
    "letter-after": only(
        partial(killed, plant="letter-after", place=DEAD_LETTER), lambda name: name in COUNTS
    ),
}
