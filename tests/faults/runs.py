"""Which runs are there, and how large is each at its full size?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.ahead import FULL as AHEAD_FULL
from tests.faults.ahead import ahead
from tests.faults.cache import cache
from tests.faults.chaos import FULL, REFUSED_FULL, chaos, refused
from tests.faults.commits import commits
from tests.faults.controls import CONTROLS
from tests.faults.scene import Order, Report, Say
from tests.faults.soak import FULL as MINUTES
from tests.faults.soak import soak
from tests.faults.starting import starting
from tests.faults.storm import storm
from tests.faults.swaps import swaps
from tests.faults.undisturbed import undisturbed


@dataclass(frozen=True, slots=True)
class Play:
    """A run, what its size counts, and its full size."""

    run: Callable[[Order, Say], Report]
    full: int
    unit: str


RUNS = {
    "chaos": Play(chaos, FULL, "events"),
    "refused": Play(refused, REFUSED_FULL, "events"),
    "ahead": Play(ahead, AHEAD_FULL, "ids"),
    "undisturbed": Play(undisturbed, 300_000, "events"),
    "swaps": Play(swaps, 100, "swaps"),
    "commits": Play(commits, 500, "cuts"),
    "storm": Play(storm, 100, "steps"),
    "cache": Play(cache, 20, "kills"),
    "soak": Play(soak, MINUTES, "minutes"),
    "starting": Play(starting, 10, "starts"),
    **{f"control: {name}": Play(one, 4, "faults") for name, one in CONTROLS.items()},
}
