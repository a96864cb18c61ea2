"""Does a lost answer to COMMIT lose or double a batch? Hundreds of them lost."""

from __future__ import annotations

import time

from tests.faults.cutting import Cutting
from tests.faults.scene import Order, Report, Say, scene
from tests.faults.verdict import Line

FULL, RATE, EVENTS_EACH, PATIENCE = 500, 1_000, 400, 120.0


def commits(order: Order, say: Say) -> Report:
    """So many answers lost; each batch is in once, and its worker finds out."""
    report = Report("commits", order.size, order.seed)
    events = Order(order.size * EVENTS_EACH + 5_000, order.seed)
    with scene(events, say, rate=RATE) as play:
        cutting = Cutting(play.stage.endpoints.postgres, order.size)
        try:
            play.worker_env = {"HITOTSU_POSTGRES": cutting.url}
            play.begin()
            deadline = time.monotonic() + PATIENCE + events.size / RATE
            with play.progress.fault("answers to COMMIT lost"):
                while cutting.left and not play.sender.done and time.monotonic() < deadline:
                    time.sleep(0.1)
            judged = play.end()
        finally:
            play.crew.stop()
            cutting.close()
        report.faults = cutting.cut
        found_out = len(play.crew.said("commit_already_applied"))
        report.lines = [
            *play.lines(judged), Line("answers lost", order.size, cutting.left),
            Line("half of them found in", found_out, max(0, order.size // 2 - found_out)),
        ]  # fmt: skip
        report.notes = [f"left: {why} ({many})" for why, many in play.crew.reasons().items()]
    return report
