"""Is every answer right when nothing dies? The same log, and what processes say of themselves."""

from __future__ import annotations

import time

from tests.faults.scene import Order, Report, Say, scene
from tests.faults.verdict import Line, metrics


def undisturbed(order: Order, say: Say) -> Report:
    """Everything is in the log already: two processes catch up."""
    report = Report("undisturbed", order.size, order.seed)
    with scene(order, say) as play:
        play.sender.start()
        play.sender.join()
        began = time.monotonic()
        play.begin_workers(2)
        judged = play.settle(60.0)
        seconds = play.settled_at - began
        lines = play.lines(judged, complete=True)
        left = play.crew.left.total()
        report.lines = [
            *lines, metrics(play.stored, [member.port for member in play.crew.members.values()]),
            Line("workers that stayed", 2, left, str(play.crew.reasons() or "")),
        ]  # fmt: skip
        many = len(play.log.appends)
        report.notes = [f"caught up in {seconds:.1f} s, start included: {many / seconds:.0f}/s"]
    return report
