"""`python -m tests.faults [NAME...]`: fault runs and a table of verdicts."""

from __future__ import annotations

import argparse
import gc
import sys
import time
import traceback

from tests.faults.runs import RUNS
from tests.faults.scene import Order, Report
from tests.faults.verdict import Line


def main(arguments: list[str] | None = None) -> int:
    """0 when every run came out as it should."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(RUNS)}; all when none is given")
    parser.add_argument("--size", type=int, help="how much of it (see the table for its unit)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    unknown = set(given.names) - set(RUNS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}")
    # the oracle holds millions of small things without cycles: looking for some takes minutes
    gc.disable()
    reports = [_run(name, given.size, given.seed) for name in given.names or RUNS]
    say("\n" + summary(reports))
    return 0 if all(report.good for report in reports) else 1


def _run(name: str, size: int | None, seed: int) -> Report:
    play = RUNS[name]
    order = Order(size or play.full, seed)
    say(f"\n── {name}: {order.size} {play.unit}, seed {order.seed}")
    began = time.monotonic()
    try:
        report = play.run(order, say)
    except Exception as error:
        traceback.print_exc()
        report = Report(name, order.size, order.seed)
        report.lines = [Line("ran to its end", 1, 1, f"{type(error).__name__}: {error}")]
        # a control that broke down has caught nothing
        report.planted = False
    report.name, report.seconds = name, time.monotonic() - began
    say(table(report))
    gc.collect()
    return report


def table(report: Report) -> str:
    """What one run compared."""
    rows = [f"{'compared':<34} {'rows':>9} {'differ':>7}"]
    for line in report.lines:
        rows.append(f"{line.name:<34} {line.compared:>9} {line.differences:>7}  {line.first}"[:230])
    wanted = "must differ: a bug is planted" if report.planted else "must not differ"
    rows.append(f"{report.differences} differences ({wanted})")
    return "\n".join([*rows, *report.notes])


def summary(reports: list[Report]) -> str:
    """One line for each run."""
    rows = [
        f"{'run':<26} {'size':>9} {'unit':<9} {'seed':>5} {'faults':>6} {'seconds':>8}  verdict"
    ]
    for report in reports:
        told = "caught" if report.planted else "equal"
        wrong = (
            "NOT CAUGHT"
            if report.planted
            else "WRONG: " + ", ".join(line.name for line in report.lines if line.differences)
        )
        rows.append(
            f"{report.name:<26} {report.size:>9} {RUNS[report.name].unit:<9} {report.seed:>5}"
            f" {report.faults:>6} {report.seconds:>8.0f}  {told if report.good else wrong}"
        )
    bad = [report.name for report in reports if not report.good]
    return "\n".join(
        [*rows, f"not as it should be: {', '.join(bad)}" if bad else "all as it should be"]
    )


def say(text: str) -> None:
    """At once, though the output be a file."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
