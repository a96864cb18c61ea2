"""How fast are all projections folded anew, beside the projectors that fold them live?

The same mixed events each time: taken by one projector and by two, from empty tables; then folded
anew by `hitotsu rebuild` while nothing happens, and while 1,000 new events a second arrive.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.benchmarks import ours, report, rounds
from tests.benchmarks.ours import Workers
from tests.benchmarks.servers import ROOT, Servers
from tests.services.rebuild.trade import Sent, Trade, send

HEAD = ("", "events/s", "beside one live projector", "beside two")
NAMES = {
    "live_one": "one projector, live",
    "live_two": "two projectors, live",
    "rebuild_alone": "`hitotsu rebuild`, nothing else happening",
    "rebuild_under_load": "`hitotsu rebuild`, beside the live events",
}
PEOPLE, ITEMS = 20_000, 2_000


class NotRebuilt(Exception):
    """The verb failed, or what it folded differed from the live tables."""


def main(arguments: list[str]) -> None:
    """Measures, prints, keeps."""
    options = _options(arguments)
    rounds.say(f"{options.events:,} events are being made")
    past = list(Trade(7, people=PEOPLE, items=ITEMS).records(options.events))
    found: dict[str, Any] = {"events": options.events, "rate": options.rate}
    with Servers() as servers:
        found["machine"] = servers.machine()
        for name, many in (("live_one", 1), ("live_two", 2)):
            servers.fresh()
            with Workers(servers, many) as workers:
                found[name] = ours.catch_up(servers, workers, lambda: _send(servers, past))
                rounds.say(f"{NAMES[name]}: {found[name]:,} events/s")
                if many == 2:
                    found |= _rebuilt(servers, options.rate)
    rounds.say("\n" + report.as_markdown(HEAD, rows(found)))
    name = "rebuild" if options.events >= 500_000 else "rebuild-quick"
    rounds.say(f"\nkept in {report.keep(found, name).relative_to(ROOT)}")


def rows(found: dict[str, Any]) -> list[list[str]]:
    """A measurement a line."""
    return [
        [
            NAMES[name], f"{found[name]:,}",
            f"{found[name] / found['live_one']:.2f} ×", f"{found[name] / found['live_two']:.2f} ×",
        ]
        for name in NAMES
    ]  # fmt: skip


def _rebuilt(servers: Servers, rate: int) -> dict[str, int]:
    found = {"rebuild_alone": _rebuild(servers)}
    rounds.say(f"{NAMES['rebuild_alone']}: {found['rebuild_alone']:,} events/s")
    with _flowing(servers, rate):
        found["rebuild_under_load"] = _rebuild(servers)
    rounds.say(f"{NAMES['rebuild_under_load']}: {found['rebuild_under_load']:,} events/s")
    return found


def _rebuild(servers: Servers) -> int:
    """The verb as anybody runs it; every row must equal the live one."""
    command = [sys.executable, "-m", "services.cli", "rebuild", "--json"]
    ran = subprocess.run(
        command, env=servers.env, cwd=ROOT, capture_output=True, check=False, timeout=300
    )
    if ran.returncode:
        raise NotRebuilt(ran.stderr.decode()[-2_000:])
    said = json.loads(ran.stdout)
    if said["total"] or not said["swapped"]:
        raise NotRebuilt(f"{said['total']} rows differ: {said['differences'][:3]}")
    return int(said["events_per_second"])


@contextmanager
def _flowing(servers: Servers, rate: int) -> Iterator[None]:
    ending = threading.Event()
    records = Trade(8, people=PEOPLE, items=ITEMS).records(1_000_000)
    flow = threading.Thread(
        target=send, args=[servers.endpoints.kafka, records],
        kwargs={"rate": rate, "end": ending},
    )  # fmt: skip
    flow.start()
    try:
        time.sleep(2.0)
        yield
    finally:
        ending.set()
        flow.join(60)


def _send(servers: Servers, past: list[Sent]) -> int:
    return send(servers.endpoints.kafka, iter(past))


def _options(arguments: list[str]) -> argparse.Namespace:
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks rebuild")
    asked.add_argument("--events", type=int, default=500_000)
    asked.add_argument("--rate", type=int, default=1_000, help="live events a second")
    return asked.parse_args(arguments)
