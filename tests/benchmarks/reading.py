"""What does a read cost, beside a bare server that has the same JSON ready in Redis?

The product and the bare server in turn (ours, bare, bare, ours), the same requests over as many
connections: answers a second, and CPU seconds of the server's own process for a thousand answers,
which another load on the machine moves less. Then reads at a steady rate beside events, in the same
turns.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from infra.home import free_port
from services.cli import local_services
from tests.benchmarks import report, rounds, usage
from tests.benchmarks.bare_reads import KEY
from tests.benchmarks.commanding import _wait_for as wait_for
from tests.benchmarks.freshness import figures, shop
from tests.benchmarks.freshness.http import request
from tests.benchmarks.freshness.measuring import PATIENCE_SECONDS, _fill, asked, begin, started
from tests.benchmarks.servers import ROOT, Servers

HEAD = ("", "ours/s", "bare/s", "of bare", "ours ms CPU", "bare ms CPU", "of bare", "wanted")
WANTED = {"stock": "0.6 × bare", "balance": "1,500/s", "page": "500/s"}
NAMES = {
    "stock": "stock of an item", "balance": "balance of a member", "page": "page of a member",
}  # fmt: skip
PATHS, EVENTS, READS = 400, 1_000, 500
TURNS = ("ours", "bare", "bare", "ours")
Figures = dict[str, float]


def main(arguments: list[str]) -> None:
    """Measures, prints, keeps."""
    options = _options(arguments)
    with Servers() as servers:
        servers.fresh()
        servers.stack.start_services(
            local_services.services(servers.stack.home),
            local_services.environment(servers.stack.home, servers.endpoints),
        )
        servers.stack.wait_ready()
        paths = _paths(_fill(servers, options.past))
        with _bare(servers) as (bare_url, bare_pid):
            api = servers.stack.status()["services"]["api"]
            _store(servers, api["url"], paths)
            entrants = {"ours": (api["url"], api["pid"]), "bare": (bare_url, bare_pid)}
            found: dict[str, Any] = {"machine": servers.machine()}
            for kind in NAMES:
                rounds.say(f"{NAMES[kind]}: {options.seconds} s each")
                found[kind] = _in_turn(servers, entrants, paths[kind], options)
            rounds.say(f"{READS} reads/s beside {EVENTS:,} events/s")
            found["beside"] = _beside_in_turn(servers, entrants, paths, options)
    rounds.say("\n" + report.as_markdown(HEAD, rows(found)))
    rounds.say("\n" + report.as_markdown(("beside events", "p50 ms", "p99 ms"), beside(found)))
    kept = report.keep(found, "reads" if options.seconds >= 10 else "reads-quick")
    rounds.say(f"\nkept in {kept.name}")


def rows(found: dict[str, Any]) -> list[list[str]]:
    """A kind of read a line."""
    lines = []
    for kind, name in NAMES.items():
        ours, bare = found[kind]["ours"], found[kind]["bare"]
        lines.append(
            [
                name, f"{ours['a_second']:,.0f}", f"{bare['a_second']:,.0f}",
                f"{ours['a_second'] / bare['a_second']:.2f} ×", f"{ours['cpu_ms']:.3f}",
                f"{bare['cpu_ms']:.3f}", f"{ours['cpu_ms'] / bare['cpu_ms']:.2f} ×", WANTED[kind],
            ]
        )  # fmt: skip
    return lines


def beside(found: dict[str, Any]) -> list[list[str]]:
    """Waits beside events, by entrant; wanted: p99 within 20 ms."""
    return [
        [name, f"{told['p50']:.1f}", f"{told['p99']:.1f}"] for name, told in found["beside"].items()
    ]


def _paths(sold: shop.Sold) -> dict[str, list[str]]:
    chance = random.Random(5)
    members = chance.sample(sorted(set(sold.members)), PATHS)
    return {
        "stock": [f"/v1/stock/{sku}" for sku in chance.sample(sorted(set(sold.skus)), PATHS)],
        "balance": [f"/v1/members/{member}/points" for member in members],
        "page": [f"/v1/members/{member}" for member in members],
    }


def _store(servers: Servers, url: str, paths: dict[str, list[str]]) -> None:
    """The product's own answers, ready for the bare server; a member nobody knows is left out."""
    headers = {"Authorization": f"Bearer {servers.tokens['operator']}"}
    with httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
        for kind, asked_for in paths.items():
            known = []
            for path in asked_for:
                answer = client.get(path)
                if answer.status_code == 200:
                    servers.redis.set(f"{KEY}{path}", answer.content)
                    known.append(path)
            paths[kind] = known


@contextmanager
def _bare(servers: Servers) -> Iterator[tuple[str, int]]:
    port = free_port()
    words = [sys.executable, "-m", "tests.benchmarks.bare_reads"]
    process = subprocess.Popen(
        [*words, servers.endpoints.redis, str(port)], env=servers.env, cwd=ROOT
    )
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(20)


def _in_turn(
    servers: Servers, entrants: dict[str, tuple[str, int]], paths: list[str],
    options: argparse.Namespace,
) -> dict[str, Figures]:  # fmt: skip
    runs: dict[str, list[tuple[int, float, float]]] = {name: [] for name in entrants}
    for name in TURNS:
        url, pid = entrants[name]
        before = usage.cpu_seconds([pid])
        found = asked(servers, _plan(servers, url, {"read": paths}, options))
        used = usage.cpu_seconds([pid]) - before
        runs[name].append((len(found["waits"]["read"]), found["seconds"], used))
    return {name: _summed(of) for name, of in runs.items()}


def _summed(runs: list[tuple[int, float, float]]) -> Figures:
    many, seconds, used = (sum(column) for column in zip(*runs, strict=True))
    return {"a_second": many / seconds, "cpu_ms": 1_000 * used / many}


def _plan(
    servers: Servers, url: str, paths: dict[str, list[str]], options: argparse.Namespace,
    rate: int = 0,
) -> dict[str, Any]:  # fmt: skip
    token = servers.tokens["operator"]
    requests = {
        kind: [shop._text(request("GET", url, path, token)) for path in asked_for]
        for kind, asked_for in paths.items()
    }
    return {
        "url": url, "requests": requests, "seconds": options.seconds, "rate": rate,
        "connections": options.connections,
    }  # fmt: skip


def _beside_in_turn(
    servers: Servers, entrants: dict[str, tuple[str, int]], paths: dict[str, list[str]],
    options: argparse.Namespace,
) -> dict[str, Figures]:  # fmt: skip
    waits: dict[str, list[float]] = {name: [] for name in entrants}
    for name in TURNS:
        waits[name] += _beside(servers, entrants[name][0], paths, options)
    return {name: figures.waits(of) for name, of in waits.items()}


def _beside(
    servers: Servers, url: str, paths: dict[str, list[str]], options: argparse.Namespace
) -> list[float]:
    """Milliseconds of reads of stock and balances at a steady rate while events arrive."""
    placed, seconds = str(servers.folder / "placed"), options.seconds + 3
    wanted = {kind: paths[kind] for kind in ("stock", "balance")}
    events = started(
        servers, "sending", servers.endpoints.kafka, str(EVENTS), str(seconds), placed,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        begin(events)
        found = asked(servers, _plan(servers, url, wanted, options, READS))
        events.wait(PATIENCE_SECONDS)
    finally:
        events.kill()
        events.wait()
    return [wait for waits in found["waits"].values() for wait in waits]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks reads")
    parser.add_argument("--seconds", type=int, default=15, help="of each measurement")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--past", type=int, default=shop.PAST, help="events beforehand")
    return parser.parse_args(arguments)
