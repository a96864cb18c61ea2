"""Is everything as the oracle says? One line for each thing that was compared."""

from __future__ import annotations

import re
import urllib.request
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.faults import disorder, oracle
from tests.faults.oracle import Rows
from tests.faults.reading import Judged
from tests.faults.stored import Stored
from tests.faults.wire import DEAD_LETTERS

COUNTS = ("applied", "duplicate", "conflict", "dead_letter")
SAMPLE = re.compile(
    r'^hitotsu_projector_(\w+?)_events_total\{group="main",partition="(\d+)"'
    r'(?:,stage="\w+")?,topic="([\w.-]+)"\} (\S+)$'
)


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison."""

    name: str
    compared: int
    differences: int
    first: str = ""


def verdict(judged: Judged, stored: Stored, sent: Counter[str], ports: Iterable[int]) -> list[Line]:
    """Every table, the dead letters, the counts, Redis; with `ports`, what the metrics say."""
    held = stored.tables()
    lines = [
        _compared(name, rows, held[name]) for name, rows in oracle.expected(judged.applied).items()
    ]
    letters = Counter({(*place, *letter): 1 for place, letter in judged.dead.items()})
    lines.append(_compared("dead letters, whole", letters, stored.dead_letters()))
    relayed: Rows = Counter(
        (record["source_topic"], record["source_partition"], record["source_offset"])
        for _, name, record in judged.applied
        if name == "DeadLettered"
    )
    lines.append(_compared("dead letters relayed", Counter(list(judged.dead)), relayed))
    lines += _counted(judged, stored, sent)
    lines.append(_compared("redis = postgres", stored.shown(), stored.held()))
    listed = list(ports)
    if listed:
        lines.append(_metrics(stored, listed))
    return lines


def _compared(name: str, expected: Rows, actual: Rows) -> Line:
    missing, surplus = expected - actual, actual - expected
    first = ""
    for what, rows in (("missing", missing), ("surplus", surplus)):
        if rows:
            first += f"{what} {next(iter(rows))!r} "
    differences = max(missing.total(), surplus.total())
    return Line(name, max(expected.total(), actual.total()), differences, first[:400])


def _counted(judged: Judged, stored: Stored, sent: Counter[str]) -> Iterable[Line]:
    checkpoints = stored.checkpoints()
    expected = {
        (place, name, count[name]) for place, count in judged.counts.items() for name in COUNTS
    }
    actual = {(place, name, checkpoints[place][name]) for place in judged.counts for name in COUNTS}
    yield _compared("counts by partition", Counter(expected), Counter(actual))
    sums = {(place, sum(count[name] for name in COUNTS)) for place, count in checkpoints.items()}
    offsets = {(place, count["next_offset"]) for place, count in checkpoints.items()}
    yield _compared("next offset = sum of counts", Counter(offsets), Counter(sums))
    for what, name, many in (
        ("duplicates = resends sent", "duplicate", sent["resends"]),
        ("conflicts = other bodies sent", "conflict", sent["other bodies"]),
        ("dead letters = corrupt sent", "dead_letter", disorder.corrupt(sent)),
    ):
        counted = sum(
            count[name] for place, count in checkpoints.items() if place[0] != DEAD_LETTERS
        )
        first = "" if counted == many else f"sent {many}, counted {counted}"
        yield Line(what, many, abs(counted - many), first)


def _metrics(stored: Stored, ports: list[int]) -> Line:
    said: Counter[tuple[str, int, str]] = Counter()
    for port in ports:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if found := SAMPLE.match(line):
                    said[found[3], int(found[2]), found[1]] += int(float(found[4]))
    expected = {
        ((*place, name), count[name])
        for place, count in stored.checkpoints().items()
        for name in COUNTS
    }
    actual = {(place, said[place]) for place, _ in expected}
    return _compared("metrics = checkpoints", Counter(expected), Counter(actual))
