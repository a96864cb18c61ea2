"""How fresh, and how soon answered? The whole stack as `hitotsu up` starts it, on one machine.

First events at a steady rate, with readers beside them; then the gateway by itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from infra.process import tail
from services.cli import local_services
from tests.benchmarks import report, rounds, usage
from tests.benchmarks.freshness import figures, shop
from tests.benchmarks.freshness.sending import READY
from tests.benchmarks.freshness.watching import Watching, ages
from tests.benchmarks.ours import REDIS_POSITION
from tests.benchmarks.sending import send
from tests.benchmarks.servers import ROOT, Servers

PATIENCE_SECONDS = 120.0
LAST_SECONDS = 10.0  # whoever is not seen by then counts as never seen
WARMING_SECONDS, BATCH, BATCHES, SINGLES = 3, 500, 20, 1_000
PARTS = "tests.benchmarks.freshness"


class NotAnswered(Exception):
    """A request of the load was refused, so its waits say nothing."""


def main(arguments: list[str]) -> None:
    """Measures, prints, keeps."""
    options = _options(arguments)
    with Servers() as servers:
        servers.fresh()
        services = local_services.services(servers.stack.home)
        env = local_services.environment(servers.stack.home, servers.endpoints)
        servers.stack.start_services(services, env)
        servers.stack.wait_ready()
        sold = _fill(servers, options.past)
        rounds.say(f"{options.rate:,} events/s and {options.reads:,} reads/s, together")
        found = _steady(servers, options, sold)
        rounds.say("the gateway by itself")
        only = [service for service in services if service.name == "gateway"]
        servers.stack.start_services(only, env)
        servers.stack.wait_ready()
        found["gateway"] = _gateway(servers, options)
        found |= {"machine": servers.machine(), "rate": options.rate, "reads_rate": options.reads}
    rounds.say("\n" + report.as_markdown(figures.HEAD, figures.rows(found)))
    rounds.say(f"cores at the steady load: {found['cores']}")
    path = report.keep(found, "freshness" if options.seconds >= 60 else "freshness-quick")
    rounds.say(f"\nkept in {path.relative_to(ROOT)}")


def _fill(servers: Servers, past: int) -> shop.Sold:
    records, sold = shop.past(past)
    send(servers.endpoints.kafka, records)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while sum(map(int, servers.redis.hvals(REDIS_POSITION))) < len(records):  # type: ignore[arg-type]
        if time.monotonic() > deadline:
            said = tail(servers.stack.home.log("projector-1"))
            raise TimeoutError(f"the projectors did not take the past in\n{said}")
        time.sleep(0.2)
    return sold


def _steady(servers: Servers, options: argparse.Namespace, sold: shop.Sold) -> dict[str, Any]:
    seconds, placed = options.seconds + WARMING_SECONDS, servers.folder / "placed"
    url = servers.stack.status()["services"]["api"]["url"]
    plan = {
        "url": url, "requests": shop.questions(url, servers.tokens["app"], sold),
        "rate": options.reads, "seconds": seconds, "connections": 16,
    }  # fmt: skip
    with Watching(servers.endpoints.postgres, servers.endpoints.redis) as watching:
        kafka, rate = servers.endpoints.kafka, str(options.rate)
        sender = started(
            servers, "sending", kafka, rate, str(seconds), str(placed),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            begin(sender)
            before, began = _cpu(servers), time.monotonic()
            reads = asked(servers, plan)
            took, after = time.monotonic() - began, _cpu(servers)
            if sender.wait(PATIENCE_SECONDS):
                raise NotAnswered("the sender failed")
        finally:
            sender.kill()
            sender.wait()
        time.sleep(LAST_SECONDS)
    found: dict[str, Any] = {"reads": {kind: _later(w) for kind, w in reads["waits"].items()}}
    found["cores"] = {name: round((after[name] - before[name]) / took, 2) for name in before}
    for name, seen in (("postgres", watching.postgres), ("redis", watching.redis)):
        waited, missed = ages(seen, placed)
        if missed:
            raise NotAnswered(f"{missed} events were never visible in {name}")
        found[name] = _later(waited)
    return found


def begin(sender: subprocess.Popen[bytes]) -> None:
    """Lets a sender begin once its events are made: that takes a core, and is not measured."""
    assert sender.stdin is not None
    assert sender.stdout is not None
    while (line := sender.stdout.readline().decode().strip()) != READY:
        if not line:
            raise NotAnswered("the sender failed")
    sender.stdin.close()


def _gateway(servers: Servers, options: argparse.Namespace) -> dict[str, Any]:
    """As many batches as go over four connections; then single events, steadily."""
    url = servers.stack.status()["services"]["gateway"]["url"]
    token, seconds = servers.tokens["operator"], min(20, options.seconds)
    plan: dict[str, Any] = {"url": url, "seconds": seconds, "connections": 4}
    batches = {"batch": shop.batches(url, token, BATCH, BATCHES)}
    full = asked(servers, {**plan, "requests": batches, "rate": 0})
    singles = {"single": shop.batches(url, token, 1, SINGLES)}
    single = asked(servers, {**plan, "requests": singles, "rate": options.singles})
    sent = BATCH * len(full["waits"]["batch"])
    return {
        "events_per_second": round(sent / full["seconds"]),
        "batch": figures.waits(full["waits"]["batch"]),
        "single": figures.waits(single["waits"]["single"]),
    }


def _cpu(servers: Servers) -> dict[str, float]:
    """CPU seconds so far of every server and service, by name."""
    status = servers.stack.status()
    return {
        name: usage.cpu_seconds([entry["pid"]])
        for name, entry in {**status["servers"], **status["services"]}.items()
        if entry.get("pid")
    }


def asked(servers: Servers, plan: dict[str, Any]) -> dict[str, Any]:
    """What `asking` found; every answer must have been one of success."""
    plan_file, answered = servers.folder / "plan.json", servers.folder / "answers.json"
    plan_file.write_text(json.dumps(plan), "utf-8")
    if started(servers, "asking", str(plan_file), str(answered)).wait(PATIENCE_SECONDS):
        raise NotAnswered("the readers failed")
    found: dict[str, Any] = json.loads(answered.read_text("utf-8"))
    if found["refused"]:
        raise NotAnswered(str(found["refused"]))
    return found


def started(servers: Servers, part: str, *arguments: str, **how: Any) -> subprocess.Popen[bytes]:
    """A part of the measurement, in a process of its own."""
    argv = [sys.executable, "-m", f"{PARTS}.{part}", *arguments]
    return subprocess.Popen(argv, env=servers.env, cwd=ROOT, **how)


def _later(measured: Sequence[float]) -> dict[str, float]:
    """Without the first twentieth: connections open and caches fill."""
    return figures.waits(measured[len(measured) // 20 :])


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks freshness")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=1_000, help="events a second")
    parser.add_argument("--reads", type=int, default=500, help="reads a second")
    parser.add_argument("--singles", type=int, default=100, help="single events a second")
    parser.add_argument("--past", type=int, default=shop.PAST, help="events beforehand")
    return parser.parse_args(arguments)
