"""Does this tree cost more than a commit did? Both in turn, over the same records and servers.

    python -m tests.benchmarks --against REV                       W1 and W2, 8 rounds and more
    python -m tests.benchmarks --against REV --allow 1.03 --floor  exit code 1 when one is missed

A round measures this tree (as it lies there, changes included) and a git worktree of REV, each as
two `python -m services.projector` of its own over topics filled the same, tables prepared by its
own command. Rounds take turns at who is first (ABBA). Rounds are added, two at a time, until the
half-width of the ratio of CPU seconds (own processes and Postgres, for a million events) is small
enough; the ratio of events/s is told with its own interval, which a busy machine makes wide.

REV runs with this interpreter and its packages where both trees require the same ones
(requirements/demo.txt); where they differ it gets an environment of its own, installed by hash.
What is written in C is compiled for both. Events are encoded by the newest schemas that both trees
know. REV has to know the tables by which the end state is compared.

Exit code: 0 all that was asked is held, 1 something was missed, 2 it could not be measured.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import asdict, replace
from typing import Any

from schemas.generated.events import Event
from schemas.wire import codec as wire
from schemas.wire.codec import Codec
from services.runtime.producer import KafkaRecord, record_of
from tests.benchmarks import ours, peer, report, rounds
from tests.benchmarks.against.ratios import Estimate, estimate, first_is_this
from tests.benchmarks.against.shared_schemas import codec_of
from tests.benchmarks.oracle import WrongState
from tests.benchmarks.result import Result
from tests.benchmarks.servers import Servers
from tests.benchmarks.trees import THIS, NoTree, Tree, worktree
from tests.benchmarks.workload import WORKLOADS, Load, Shape, load

EVENTS, ROUNDS, MOST_ROUNDS = 300_000, 8, 24
HALF_WIDTH = 0.01
TRIES = 3
FLOOR = 1.8  # W2 has to be so many times the better of these
FLOOR_PEERS = ("loop", "bytewax")
FLOOR_WORKLOAD = "w2"
UNMEASURED = 2


class Comparison:
    """All results so far, by workload: of this tree, of the other, and of the floor's peers."""

    def __init__(self, servers: Servers, other: Tree, loads: dict[str, Load]) -> None:
        self._servers, self._other, self._loads = servers, other, loads
        self.pairs: dict[str, list[tuple[Result, Result]]] = defaultdict(list)
        self.peers: dict[str, list[tuple[Result, Result]]] = defaultdict(list)

    def warm_up(self) -> None:
        """One run of each that does not count: servers are cold, and a tree may not run at all."""
        rounds.say("one run of each, which does not count")
        name = next(iter(self._loads))
        for tree in (THIS, self._other):
            self._measured(tree, self._loads[name])

    def round(self, name: str, with_peers: bool) -> None:
        """Both trees once, and the peers of the floor after them over the same records."""
        number, found = len(self.pairs[name]), {}
        rounds.say(f"{name}, round {number + 1}")
        order = (THIS, self._other) if first_is_this(number) else (self._other, THIS)
        for tree in order:
            found[tree.name] = self._measured(tree, self._loads[name])
        mine = found[THIS.name]
        self.pairs[name].append((mine, found[self._other.name]))
        if with_peers:
            self._servers.forget_ours()
            for each in (one for one in peer.PEERS if one.name in FLOOR_PEERS):
                theirs = rounds.told(peer.run(self._servers, each, self._loads[name]))
                self.peers[each.name].append((mine, theirs))

    def cpu(self, name: str) -> Estimate:
        """CPU seconds for a million events, own and Postgres': this tree's to the other's."""
        return estimate([(_cost(a), _cost(b)) for a, b in self.pairs[name]])

    def rate(self, name: str) -> Estimate:
        """Events a second: this tree's to the other's."""
        return estimate([(a.rate, b.rate) for a, b in self.pairs[name]])

    def floor(self) -> tuple[str, Estimate] | None:
        """Events a second to those of the better peer; None when none was measured."""
        found = [
            (name, estimate([(a.rate, b.rate) for a, b in pairs]))
            for name, pairs in self.peers.items()
        ]
        return min(found, key=lambda one: one[1].ratio) if found else None

    def _measured(self, tree: Tree, sent: Load) -> Result:
        for tries in range(1, TRIES + 1):
            try:
                self._servers.fresh(tree)
                result = ours.run(self._servers, sent, tree)
                result.entrant = tree.name
                return rounds.told(result)
            except ours.Unfit as error:
                if tries == TRIES:
                    raise
                rounds.say(f"  {tree.name}: again: {str(error).splitlines()[0]}")
        raise AssertionError("a try returns or raises")


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps; answers the exit code."""
    options = _options(arguments)
    try:
        with worktree(options.against) as other:
            loads = {name: _load(name, options.events, other) for name in options.workload}
            with Servers() as servers:
                comparison = Comparison(servers, other, loads)
                _measure(comparison, options)
                machine = servers.machine()
    except (NoTree, ours.Unfit, WrongState, peer.Failed) as error:
        sys.stderr.write(f"not measured: {error}\n")
        return UNMEASURED
    lines, held = verdict(comparison, options)
    rounds.say("\n" + "\n".join(lines))
    kept = report.keep(_figures(comparison, options, machine), "against")
    rounds.say(f"\nkept in {kept.relative_to(report.ROOT)}")
    return 0 if held else 1


def _cost(result: Result) -> float:
    return (result.own_cpu + result.postgres_cpu) / result.events


def _load(name: str, events: int, other: Tree) -> Load:
    rounds.say(f"{name}: {events:,} events are being made")
    members, items = max(1_000, min(100_000, events // 3)), min(20_000, max(500, events // 15))
    codec = codec_of(other.schema_ids())

    def shared_record(event: Event) -> KafkaRecord:
        return replace(record_of(event), value=_encoded(event, codec, other.name))

    shape = Shape(members=members, skus=items)
    return load(name, events, 1, shape, record_of=shared_record)


def _encoded(event: Event, codec: Codec, tree: str) -> bytes:
    """The event's value; raises NoTree where the tree's schemas cannot hold the event whole."""
    try:
        value = codec.encode(event)
    except KeyError as error:
        raise NoTree(f"{tree} has no schema of {event.NAME}") from error
    if wire.decode(value) != event:
        raise NoTree(f"the newest schema of {event.NAME} in {tree} has no field for what is sent")
    return value


def _measure(comparison: Comparison, options: argparse.Namespace) -> None:
    comparison.warm_up()
    open_ones = list(options.workload)
    for number in range(options.most_rounds):
        for name in open_ones:
            peers = options.floor and name == FLOOR_WORKLOAD and number < options.rounds
            comparison.round(name, peers)
        done = number + 1
        if done >= options.rounds and done % 2 == 0:
            open_ones = [
                name for name in open_ones if not comparison.cpu(name).reached(options.half_width)
            ]
        if not open_ones:
            return


def verdict(comparison: Comparison, options: argparse.Namespace) -> tuple[list[str], bool]:
    """What it came to, a line a figure, and whether all that was asked is held."""
    lines, held = [], True
    for name in options.workload:
        cpu, rate = comparison.cpu(name), comparison.rate(name)
        line = f"{name.upper()}  CPU s a million, this to {options.against}: {cpu}"
        line += f" (95 %, {cpu.rounds} rounds)"
        if options.allow is not None:
            is_held = cpu.ratio <= options.allow
            held &= is_held
            line += f"; allowed {options.allow:.3f}: {'held' if is_held else 'MISSED'}"
        lines.append(line)
        if not cpu.reached(options.half_width):
            lines.append(
                f"{name.upper()}  not reached: ± {options.half_width:.3f} within {cpu.rounds}"
                " rounds; the estimate counts"
            )
        lines.append(f"{name.upper()}  events/s, this to {options.against}: {rate}")
    floor = comparison.floor()
    if floor is not None:
        better, ratio = floor
        is_held = ratio.ratio >= FLOOR
        held &= is_held
        lines.append(
            f"{FLOOR_WORKLOAD.upper()}  events/s, this to the better of loop and Bytewax"
            f" ({better}): {ratio}; floor {FLOOR}: {'held' if is_held else 'MISSED'}"
        )
    return lines, held


def _figures(
    comparison: Comparison, options: argparse.Namespace, machine: dict[str, Any]
) -> dict[str, Any]:
    floor = comparison.floor()
    return {
        "against": options.against, "events": options.events, "machine": machine,
        "cpu": {name: asdict(comparison.cpu(name)) for name in options.workload},
        "rate": {name: asdict(comparison.rate(name)) for name in options.workload},
        "floor": None if floor is None else {"better": floor[0], **asdict(floor[1])},
        "runs": {
            name: [[asdict(a), asdict(b)] for a, b in pairs]
            for name, pairs in comparison.pairs.items()
        },
    }  # fmt: skip


def _options(arguments: list[str]) -> argparse.Namespace:
    asked = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    asked.add_argument("--against", required=True, metavar="REV", help="the commit to compare with")
    asked.add_argument("--workload", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    asked.add_argument("--events", type=int, default=EVENTS, help="events of each run")
    asked.add_argument("--rounds", type=int, default=ROUNDS, help="at least so many; %(default)s")
    asked.add_argument("--most-rounds", type=int, help=f"at most so many; {MOST_ROUNDS}")
    asked.add_argument(
        "--half-width", type=float, default=HALF_WIDTH, help="of the CPU ratio; %(default)s"
    )
    asked.add_argument("--allow", type=float, help="the highest CPU ratio that is held")
    asked.add_argument(
        "--floor", action="store_true", help=f"W2 beside loop and Bytewax; {FLOOR} times is held"
    )
    options = asked.parse_args(arguments)
    if options.most_rounds is None:
        options.most_rounds = max(MOST_ROUNDS, options.rounds)
    if options.events < 1_000 or options.rounds < 2 or options.most_rounds < options.rounds:
        asked.error("--events from 1000, --rounds from 2, --most-rounds not below --rounds")
    if options.floor and FLOOR_WORKLOAD not in options.workload:
        asked.error(f"--floor is measured on {FLOOR_WORKLOAD}: add it to --workload")
    return options
