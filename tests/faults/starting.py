"""Does a worker find its way when the broker dies just after it started? Again and again."""

from __future__ import annotations

import signal

from tests.faults.scene import Order, Report, Say, scene

FULL, RATE, WITHIN_SECONDS, DOWN_SECONDS = 10, 300, 3.0, (1.0, 20.0)
EACH_SECONDS, SETTLE_SECONDS = 60.0, 3.0


def starting(order: Order, say: Say) -> Report:
    """Fresh workers, the broker killed 0 to 3 s later, back after a while; so many times."""
    report = Report("starting", order.size, order.seed)
    events = Order(round(RATE * EACH_SECONDS * order.size), order.seed)
    with scene(events, say, rate=RATE) as play:
        play.begin()
        for number in range(order.size):
            for name in sorted(play.crew.members):
                play.crew.remove(name, signal.SIGKILL)
            for worker in (1, 2):
                play.join(f"fresh-{number}-{worker}")
            after = play.chance.uniform(0.0, WITHIN_SECONDS)
            down = play.chance.uniform(*DOWN_SECONDS)
            play.pause(after)
            with play.progress.fault(f"broker killed {after:.1f} s after the start"):
                play.stage.kill("kafka")
                play.pause(down)
                play.stage.start("kafka")
            report.faults += 1
            recovered = play.progress.wait_recovered()
            say(f"killed after {after:.1f} s, down for {down:.0f} s, again in {recovered:.1f} s")
            play.pause(SETTLE_SECONDS)
        judged = play.end()
        report.lines = play.lines(judged)
        report.notes = [f"left: {why} ({many})" for why, many in play.crew.reasons().items()]
    return report
