"""`python -m tests.faults`: every fault run, its seed, and a table of what was compared."""

from __future__ import annotations

import sys
import time

from tests.faults.scenario import Outcome, run
from tests.faults.scenarios import CONTROLS, KILLED, UNDISTURBED


def main() -> int:
    """0 when the runs agree with the oracle and the planted bugs are found."""
    good = True
    for scenario in (UNDISTURBED, KILLED, *CONTROLS):
        began = time.monotonic()
        outcome = run(scenario, say)
        say(f"\n{table(outcome)}\n{time.monotonic() - began:.0f} s in all")
        good &= (outcome.differences > 0) == bool(scenario.plant)
        good &= outcome.kills == scenario.kills
    say("as it should be" if good else "NOT as it should be")
    return 0 if good else 1


def table(outcome: Outcome) -> str:
    """The verdict in lines."""
    scenario = outcome.scenario
    rows = [
        f"{scenario.name}: seed {scenario.seed}, {scenario.events} events in {outcome.records}"
        f" records, {outcome.kills} kills, {outcome.left} exits of their own"
        + ("" if scenario.kills else _speed(outcome)),
        *(f"left: {reason}" for reason in outcome.reasons),
        f"{'compared':<32} {'rows':>9} {'differ':>7}",
    ]
    for line in outcome.lines:
        rows.append(f"{line.name:<32} {line.compared:>9} {line.differences:>7}  {line.first}"[:230])
    wanted = "must differ: a bug is planted" if scenario.plant else "must not differ"
    return "\n".join([*rows, f"{outcome.differences} differences ({wanted})"])


def _speed(outcome: Outcome) -> str:
    seconds = max(outcome.catching_up, 0.1)
    return f", caught up in {seconds:.1f} s: {outcome.records / seconds:.0f} records/s"


def say(text: str) -> None:
    """At once, though the output be a file."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
