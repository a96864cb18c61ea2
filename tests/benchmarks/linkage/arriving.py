"""How much does a profile cost that arrives, when so many are known? One core, in memory.

python -m tests.benchmarks matching [--known 10000 100000 1000000]

Made-up Japanese people; the model is estimated from the first 200,000. At each size: profiles a
second that arrive (normalised, compared with everybody, learnt), how long everybody takes to load
from what is stored (after a kill), waits of a search by what a clerk types, and memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import psutil

from services.identity.matching import CandidateIndex, Features, Person, features
from services.identity.matching.estimate import estimate
from tests.benchmarks import report, rounds
from tests.benchmarks.linkage.japanese import record_of
from tests.benchmarks.linkage.ours import person_of
from tests.people import profiles

SIZES = (10_000, 100_000, 300_000, 1_000_000)
SAMPLE, SEARCHES, LEARNT_FROM, SEED = 5_000, 3_000, 200_000, 11
PER_PERSON = 20 / 12
HEAD = (
    "known", "arriving a second", "µs each", "loaded in s", "search p50 ms", "search p99 ms", "MiB"
)  # fmt: skip


def main(arguments: list[str]) -> None:
    """Measures, prints, keeps."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks matching")
    asked.add_argument("--known", nargs="+", type=int, default=list(SIZES))
    sizes = sorted(asked.parse_args(arguments).known)
    arriving = _people(sizes[-1] + len(sizes) * SAMPLE + SEARCHES)
    first = [features(one) for one in islice(arriving, LEARNT_FROM)]
    model = estimate(first)
    packed = [one.packed() for one in first]
    del first
    found = []
    for size in sizes:
        while len(packed) < size:
            packed.append(features(next(arriving)).packed())
        found.append(_measured(size, packed[:size], model, arriving))
        rounds.say(" · ".join(map(str, found[-1].values())))
    kept = {"cores": os.cpu_count(), "python": platform.python_version(), "sizes": found}
    rounds.say("\n" + report.as_markdown(HEAD, rows(kept)))
    rounds.say(f"\nkept in {report.keep(kept, 'matching').name}")


def rows(found: dict[str, Any]) -> list[list[str]]:
    """A size a line."""
    return [
        [
            f"{one['known']:,}", f"{one['a_second']:,}", f"{1e6 / one['a_second']:.0f}",
            f"{one['loaded']:.1f}", f"{one['p50']:.1f}", f"{one['p99']:.1f}", f"{one['mib']:,}",
        ]
        for one in found["sizes"]
    ]  # fmt: skip


def _measured(
    size: int, packed: list[bytes], model: Any, arriving: Iterator[Person]
) -> dict[str, Any]:
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    known = CandidateIndex(model)
    for number, one in enumerate(packed):
        known.learn(number.to_bytes(16), Features.unpacked(one))
    loaded = time.perf_counter() - began
    held = psutil.Process().memory_info().rss - before
    sample = list(islice(arriving, SAMPLE))
    began = time.perf_counter()
    for number, person in enumerate(sample):
        new = features(person)
        known.candidates(new)
        known.learn((size + number).to_bytes(16), new)
    a_second = SAMPLE / (time.perf_counter() - began)
    waits = sorted(_search(known, person) for person in islice(arriving, SEARCHES // len(SIZES)))
    return {
        "known": size, "a_second": round(a_second), "loaded": loaded,
        "p50": waits[len(waits) // 2] * 1e3, "p99": waits[len(waits) * 99 // 100] * 1e3,
        "mib": round(held / 2**20),
    }  # fmt: skip


def _search(known: CandidateIndex, person: Person) -> float:
    began = time.perf_counter()
    known.candidates(features(person))
    return time.perf_counter() - began


def _people(count: int) -> Iterator[Person]:
    for profile in profiles(int(count / PER_PERSON) + 1, count + LEARNT_FROM, SEED):
        yield person_of(record_of(profile))
