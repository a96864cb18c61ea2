"""In which order do entrants run, and what do several rounds come to?

A round is one workload's load, sent once: ours first, over empty topics, then every peer over the
same records. Rounds of the workloads alternate, so that a slow minute of the machine meets all.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from tests.benchmarks import filling, ours, peer, sending
from tests.benchmarks.result import Result
from tests.benchmarks.servers import PREFIX, Servers
from tests.benchmarks.workload import Load, Shape, load

ENTRANTS = ("ours", *(each.name for each in peer.PEERS))
RIVALS = ("faust_event", "faust_take", "loop", "bytewax")


def measure(
    servers: Servers, sizes: dict[str, int], prefix: int, shape: Shape, rounds: int,
    only: Collection[str] = ENTRANTS, filled: bool = False,
) -> list[Result]:  # fmt: skip
    """Every result of every round; a wrong end state ends it all."""
    loads = {}
    for name, events in sizes.items():
        say(f"{name}: {events:,} events are being made")
        loads[name] = load(name, events, prefix, shape)
        if filled:
            filling.remember(loads[name], shape)
    results = []
    for number in range(1, rounds + 1):
        for name in sizes:
            say(f"{name}, round {number} of {rounds}")
            results += _round(servers, loads[name], shape, only, filled)
    return results


def _round(
    servers: Servers, sent: Load, shape: Shape, only: Collection[str], filled: bool
) -> list[Result]:
    results = []
    servers.fresh()
    if "ours" in only:
        if filled:
            filling.fill_ours(servers.postgres, shape)
        results.append(told(ours.run(servers, sent)))
    else:
        sending.send(servers.endpoints.kafka, sent.records)
    servers.forget_ours()
    if "faust_event" in only:
        sending.create(servers.endpoints.kafka, sent.topics, PREFIX)
        sending.send(servers.endpoints.kafka, sent.first(), PREFIX)
    for each in peer.PEERS:
        if each.name in only:
            results.append(told(peer.run(servers, each, sent, shape if filled else None)))
    return results


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Medians over the rounds, by workload, and what ours is to each rival."""
    report: dict[str, Any] = {"cpu": {}, "ratios": {}, "spread": {}}
    for name in sorted({each.workload for each in results}):
        mine = [each for each in results if each.workload == name]
        entrants = [entrant for entrant in ENTRANTS if any(e.entrant == entrant for e in mine)]
        runs = {entrant: [e for e in mine if e.entrant == entrant] for entrant in entrants}
        rates = {entrant: _median([e.rate for e in runs[entrant]]) for entrant in entrants}
        report[name] = {entrant: round(rate) for entrant, rate in rates.items()}
        report["cpu"][name] = {
            entrant: {
                part: round(_median([e.cpu[part] for e in runs[entrant]]), 1)
                for part in ("own", "postgres", "sum")
            }
            for entrant in entrants
        }
        report["spread"][name] = {
            entrant: [round(min(e.rate for e in many)), round(max(e.rate for e in many))]
            for entrant, many in runs.items()
        }
        if "ours" in runs:
            report[name]["ours_in_redis"] = round(
                _median([e.more["visible_in_redis"] for e in runs["ours"]])
            )
            report["ratios"][name] = {
                rival: round(rates["ours"] / rates[rival], 2) for rival in RIVALS if rival in rates
            }
    workers = [each.memory_mib for each in results if each.entrant == "ours"]
    report["rss_mib"] = round(max(workers), 1) if workers else None
    report["runs"] = [{**asdict(each), "rate": round(each.rate)} for each in results]
    return report


def say(line: str) -> None:
    """What goes on, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def told(result: Result) -> Result:
    """The same, once it has been printed."""
    more = "".join(f", {name} {value:,.0f}" for name, value in result.more.items())
    say(
        f"  {result.entrant:<14}{result.rate:>10,.0f} events/s"
        f"{result.cpu['own']:>8.1f} +{result.cpu['postgres']:>6.1f} CPU s a million"
        f"{result.memory_mib:>7.0f} MiB{more}"
    )
    return result


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)
