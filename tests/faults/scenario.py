"""One run: a stack of its own, a seeded log, kills while it flows, and the verdict."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.backend import Endpoints
from infra.stack import Stack
from services.cli import local
from tests.faults import disorder, reading
from tests.faults.sending import Sender
from tests.faults.stored import Stored
from tests.faults.verdict import Line, verdict
from tests.faults.workers import PRODUCT, Workers

PLANTED = "tests.faults.planted"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is sent, what is killed, and what was broken on purpose."""

    name: str
    events: int
    kills: int = 0
    seed: int = 1
    rate: int = 0
    plant: str = ""
    patience: float = 60.0


@dataclass(slots=True)
class Outcome:
    """What a run showed."""

    scenario: Scenario
    lines: list[Line] = field(default_factory=list)
    records: int = 0
    kills: int = 0
    left: int = 0
    reasons: list[str] = field(default_factory=list)
    catching_up: float = 0.0

    @property
    def differences(self) -> int:
        return sum(line.differences for line in self.lines)


def run(scenario: Scenario, say: Say = lambda text: None) -> Outcome:
    """Brings everything up, and down again whatever happens."""
    with tempfile.TemporaryDirectory(prefix="hitotsu-faults-") as home:
        stack = Stack(Path(home) / "stack", provider="auto", registry=False)
        try:
            endpoints = stack.start_servers()
            env = local.environment(stack.home, endpoints)
            local.prepare(endpoints, env, {})
            return _run(scenario, endpoints, env, Path(home), say)
        finally:
            stack.stop(purge=True)


def _run(
    scenario: Scenario, endpoints: Endpoints, env: dict[str, str], home: Path, say: Say
) -> Outcome:
    log = disorder.log(scenario.seed, scenario.events)
    outcome = Outcome(scenario, records=len(log.appends))
    module = PLANTED if scenario.plant else PRODUCT
    workers = Workers({**env, "HITOTSU_TEST_PLANT": scenario.plant}, home, module)
    sender = Sender(endpoints.kafka, log.appends, scenario.rate)
    stored = Stored(endpoints.postgres, endpoints.redis)
    try:
        sender.start()
        if not scenario.kills:
            # everything is there already: how fast do two processes catch up?
            sender.join()
        workers.start()
        outcome.kills = _kill(scenario, workers, sender, say)
        sender.join()
        outcome.catching_up = _settle(endpoints, stored, scenario.patience)
        outcome.left = workers.starts - len(workers.ports) - outcome.kills
        outcome.reasons = workers.reasons()
        judged = reading.judge(endpoints.kafka)
        ports = [] if scenario.kills else workers.ports
        outcome.lines = verdict(judged, stored, log.sent, ports)
        if scenario.plant == "" and outcome.differences:
            # Redis is refreshed after the commit: what was left behind is repaired soon
            time.sleep(15)
            outcome.lines = verdict(judged, stored, log.sent, ports)
    finally:
        workers.stop()
        stored.close()
    return outcome


def _kill(scenario: Scenario, workers: Workers, sender: Sender, say: Say) -> int:
    """At random moments, as many as fit while events flow."""
    chance = random.Random(f"kills {scenario.seed}")
    seconds = scenario.events * 1.12 / scenario.rate if scenario.rate else 0.0
    # one in each stretch: two in one breath would be one
    stretch = seconds / max(1, scenario.kills)
    moments = [(number + chance.uniform(0.1, 0.9)) * stretch for number in range(scenario.kills)]
    began, killed = time.monotonic(), 0
    for moment in moments:
        time.sleep(max(0.0, moment - (time.monotonic() - began)))
        if sender.done:
            break
        pid = workers.kill(chance)
        killed += 1
        say(f"{moment:6.1f} s: SIGKILL to {pid}, {sender.sent} sent")
    return killed


def _settle(endpoints: Endpoints, stored: Stored, patience: float) -> float:
    """Until every partition is applied to its end, or nothing moves; seconds from first to last."""
    before, ends_before = stored.checkpoints(), reading.ends(endpoints.kafka)
    first = moved = time.monotonic()
    still = 0
    while time.monotonic() - moved < patience and still < 8:
        time.sleep(0.25)
        ends, now = reading.ends(endpoints.kafka), stored.checkpoints()
        if (now, ends) != (before, ends_before):
            moved, still = time.monotonic(), 0
            if not any(count["next_offset"] for count in before.values()):
                first = moved
            before, ends_before = now, ends
        elif all(now.get(place, Counter())["next_offset"] == end for place, end in ends.items()):
            still += 1
    return moved - first
