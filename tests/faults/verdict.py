"""Is everything as the oracle says? One line for each thing that was compared."""

from __future__ import annotations

import hashlib
import re
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from tests.faults import oracle
from tests.faults.disorder import Log
from tests.faults.oracle import Rows
from tests.faults.progress import BOUND_SECONDS, Recovery
from tests.faults.reading import Judged, Place
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


def verdict(judged: Judged, stored: Stored, log: Log, complete: bool) -> list[Line]:
    """Every table, the dead letters, the counts, Redis; `complete`: all of the log, sent once."""
    held = stored.tables()
    lines = [
        same_rows(name, rows, held[name]) for name, rows in oracle.expected(judged.applied).items()
    ]
    buried = stored.dead_letters()
    letters = Counter({(*place, *letter): 1 for place, letter in judged.dead.items()})
    lines.append(compared("dead letters, whole", letters, buried))
    undecoded = Counter((row[0], row[4], row[5]) for row in buried.elements() if row[3] == "decode")
    lines.append(compared("dead letters = corrupt set", log.corrupt(), undecoded))
    lines.append(in_offset_order(judged, stored.verdicts()))
    relayed: Rows = Counter(
        (record["source_topic"], record["source_partition"], record["source_offset"])
        for _, name, record in judged.applied
        if name == "DeadLettered"
    )
    lines.append(compared("dead letters relayed", Counter(list(judged.dead)), relayed))
    lines += _counted(judged, stored)
    if complete:
        lines += _sent(stored, log)
        refused = Counter(
            (row[0], row[4], row[5]) for row in buried.elements() if row[3] == "store"
        )
        lines.append(compared("dead letters = unstorable set", log.unstorable(), refused))
    return [*lines, same_rows("redis = postgres", stored.shown(), stored.held())]


def in_offset_order(judged: Judged, verdicts: Mapping[Place, list[str]]) -> Line:
    """The verdict of every record, but for ids that are in two partitions."""
    records, wrong = 0, list[str]()
    for place in sorted({*judged.verdicts, *verdicts}):
        pairs = zip_longest(judged.verdicts.get(place, []), verdicts.get(place, []))
        for offset, (expected, actual) in enumerate(pairs):
            if judged.unordered and _id(judged, place, offset) in judged.unordered:
                continue
            records += 1
            if expected != actual:
                wrong.append(f"{place[0]}-{place[1]} {offset}: {actual}, not {expected}")
    return Line("verdicts in offset order", records, len(wrong), "; ".join(wrong[:3]))


def _id(judged: Judged, place: Place, offset: int) -> bytes | None:
    ids = judged.ids.get(place, [])
    return ids[offset] if offset < len(ids) else None


def same_rows(name: str, expected: Rows, actual: Rows) -> Line:
    """Byte by byte: the rows in order, as one SHA-256."""
    line = compared(name, expected, actual)
    wanted, found = digest(expected), digest(actual)
    differences = max(line.differences, int(wanted != found))
    return Line(name, line.compared, differences, line.first or f"sha256 {found[:16]}")


def digest(rows: Rows) -> str:
    """One SHA-256 over all rows, sorted."""
    whole = hashlib.sha256()
    for row in sorted(map(repr, rows.elements())):
        whole.update(row.encode())
    return whole.hexdigest()


def compared(name: str, expected: Rows, actual: Rows) -> Line:
    """What is missing and what is surplus, with one of each."""
    missing, surplus = expected - actual, actual - expected
    first = ""
    for what, rows in (("missing", missing), ("surplus", surplus)):
        if rows:
            first += f"{what} {next(iter(rows))!r} "
    differences = max(missing.total(), surplus.total())
    return Line(name, max(expected.total(), actual.total()), differences, first[:400])


def in_topics(accepted: Mapping[bytes, str], judged: Judged) -> Line:
    """Every event that was answered with 202 is in its topic."""
    held = {(record["meta"]["event_id"], read.topic) for read, _, record in judged.applied}
    # a second telling of a sale is in its topic and not applied
    held |= {(one, topic) for (topic, _), ids in judged.ids.items() for one in ids if one}
    lost = [event for event, topic in accepted.items() if (event, topic) not in held]
    first = f"not in the log: {lost[0].hex()}" if lost else ""
    return Line("every 202 in its topic", len(accepted), len(lost), first)


def in_time(recoveries: list[Recovery], bound: float = BOUND_SECONDS) -> Line:
    """Consumption went on soon after the end of every fault."""
    late = [one for one in recoveries if one.seconds > bound]
    slowest = max(recoveries, key=lambda one: one.seconds, default=Recovery("none", 0.0))
    first = f"slowest {slowest.seconds:.1f} s, {slowest.fault}"
    return Line(f"consuming again within {bound:.0f} s", len(recoveries), len(late), first)


def not_ahead(stored: Stored) -> Line:
    """What Redis holds that Postgres, asked after it, has not committed."""
    held = {row[:3]: int(row[3][0]) for row in stored.held()}
    stamps = {row[:3]: int(row[3][0]) for row in stored.shown()}
    ahead = [key for key, stamp in held.items() if stamp > stamps.get(key, 0)]
    first = f"{ahead[0]!r}" if ahead else ""
    return Line("redis not ahead of postgres", len(held), len(ahead), first)


def metrics(stored: Stored, ports: Iterable[int]) -> Line:
    """What processes say of themselves that nothing disturbed."""
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
    return compared("metrics = checkpoints", Counter(expected), Counter(actual))


def _counted(judged: Judged, stored: Stored) -> Iterable[Line]:
    checkpoints = stored.checkpoints()
    names = ("next_offset", *COUNTS)
    expected = {
        (place, name, count.total() if name == "next_offset" else count[name])
        for place, count in judged.counts.items()
        for name in names
    }
    actual = {
        (place, name, checkpoints.get(place, Counter())[name])
        for place in judged.counts
        for name in names
    }
    yield compared("counts by partition", Counter(expected), Counter(actual))
    sums = {(place, sum(count[name] for name in COUNTS)) for place, count in checkpoints.items()}
    offsets = {(place, count["next_offset"]) for place, count in checkpoints.items()}
    yield compared("next offset = sum of counts", Counter(offsets), Counter(sums))


def _sent(stored: Stored, log: Log) -> Iterable[Line]:
    checkpoints = stored.checkpoints()
    for what, name, many in (
        ("duplicates = resends sent", "duplicate", log.sent["resends"]),
        ("conflicts = other bodies sent", "conflict", log.sent["other bodies"]),
    ):
        counted = sum(
            count[name] for place, count in checkpoints.items() if place[0] != DEAD_LETTERS
        )
        first = "" if counted == many else f"sent {many}, counted {counted}"
        yield Line(what, many, abs(counted - many), first)
