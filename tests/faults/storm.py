"""Do workers that come and go lose anything? A rebalance with every step."""

from __future__ import annotations

import signal

from tests.faults.membership import held_by
from tests.faults.scene import Order, Report, Say, Scene, scene

FULL, RATE, STEP_SECONDS, MOST = 100, 1_000, 2.0, 4


def storm(order: Order, say: Say) -> Report:
    """So many joins and leaves, one to four workers; every third leave is a SIGKILL."""
    report = Report("storm", order.size, order.seed)
    with scene(
        Order(round(2 * RATE * STEP_SECONDS * order.size) + 20_000, order.seed), say, rate=RATE
    ) as play:
        play.begin(workers=1)
        for number in range(order.size):
            _pause(play)
            _step(play, number)
            report.faults += 1
        judged = play.end()
        report.lines = play.lines(judged)
        report.notes = [f"left: {why} ({many})" for why, many in play.crew.reasons().items()]
    return report


def _pause(play: Scene) -> None:
    play.pause(STEP_SECONDS * play.chance.uniform(0.5, 1.5))


def _holds(play: Scene, name: str) -> bool:
    try:
        return bool(held_by(play.crew.members[name].port))
    except OSError:
        return False


def _step(play: Scene, number: int) -> None:
    names = sorted(play.crew.members)
    joins = len(names) == 1 or (len(names) < MOST and play.chance.random() < 0.5)
    if joins:
        with play.progress.fault("join"):
            play.join(f"joined-{number}")
        return
    # somebody who is at work stays: how long a process takes to start is another question
    working = [name for name in names if _holds(play, name)]
    while not working:
        play.pause(0.5)
        working = [name for name in names if _holds(play, name)]
    stays = play.chance.choice(working)
    name = play.chance.choice([name for name in names if name != stays])
    killed = play.chance.random() < 1 / 3
    with play.progress.fault("killed" if killed else "leave"):
        play.crew.remove(name, signal.SIGKILL if killed else signal.SIGTERM)
    play.say(f"{number}: {name} {'killed' if killed else 'left'}, {len(names) - 1} stay")
