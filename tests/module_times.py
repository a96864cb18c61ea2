"""Which test modules take how long: told after a run, and used to start the longest first.

`module_seconds.json` has the seconds of wall time that modules took in a whole run. Workers of
pytest-xdist take modules in that order (`scheduling`), so that none of them begins a long one when
the others are done. `HITOTSU_WRITE_MODULE_SECONDS=1 make test` writes the file anew.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.scheduling import longest_first, module

ROOT = Path(__file__).resolve().parents[1]
SECONDS = Path(__file__).with_name("module_seconds.json")
WRITE_VARIABLE = "HITOTSU_WRITE_MODULE_SECONDS"
BUDGET_SECONDS = 60.0
SHOWN = 10
WRITTEN_FROM_SECONDS = 1.0

_taken: Counter[str] = Counter()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Orders modules for several workers; one process keeps the order of the folders."""
    if hasattr(config, "workerinput"):
        items[:] = longest_first(items, json.loads(SECONDS.read_text("utf-8")))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Fixtures count for the module whose test sets them up."""
    _taken[module(report.nodeid)] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The slowest modules of a run over many, and all that took more than their budget."""
    if len(_taken) < SHOWN:
        return
    terminalreporter.write_line(f"slowest of {len(_taken)} test modules:")
    for line in summary(_taken):
        terminalreporter.write_line(line)
    if os.environ.get(WRITE_VARIABLE):
        SECONDS.write_text(written(_taken), "utf-8")


def summary(taken: Mapping[str, float]) -> list[str]:
    """A line for each of the slowest modules; those over the budget say so."""
    ordered = sorted(taken.items(), key=lambda pair: -pair[1])
    return [
        f"  {seconds:6.1f} s  {name}{_over(seconds)}"
        for place, (name, seconds) in enumerate(ordered)
        if place < SHOWN or seconds > BUDGET_SECONDS
    ]


def written(taken: Mapping[str, float]) -> str:
    """What `module_seconds.json` keeps: modules that took a second or more."""
    kept = {
        name: round(seconds)
        for name, seconds in sorted(taken.items(), key=lambda pair: (-pair[1], pair[0]))
        if seconds >= WRITTEN_FROM_SECONDS
    }
    return json.dumps(kept, indent=2) + "\n"


def _over(seconds: float) -> str:
    over = seconds > BUDGET_SECONDS
    return f"  (over the {BUDGET_SECONDS:.0f} s that a module should take)" if over else ""
