"""How soon after a kill is the matcher ready, and how long does a search wait, with so many known?

python -m tests.benchmarks matching-process [--known 1000000]

The process itself, over servers of its own. What it would have stored of made-up people (features,
sealed under each one's key) is put into its tables; then it is started, asked, killed with SIGKILL
and started again. Then new profiles go through bulk producer, Kafka and projector, and it compares.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import psycopg

from projections.member.rules import DEFAULT, MatchRules
from schemas.normal import birth_date
from services.identity.index import sealed
from services.identity.matching import features
from services.identity.matching.estimate import estimate
from services.runtime.db import pool
from services.runtime.keys import SubjectKeys
from tests.benchmarks import report, rounds
from tests.benchmarks.linkage.japanese import record_of
from tests.benchmarks.linkage.ours import person_of
from tests.people import Profile, profiles
from tests.services.identity.town import BASE, TOKENS, Desk, Town, registered, town

AT_ONCE, SEARCHES, ARRIVING, LEARNT_FROM, SEED = 5_000, 1_000, 20_000, 200_000, 12
COMPARED = "hitotsu_identity_compared_profiles_total"
COPY = 'copy hitotsu.match_features (profile_id, form, "offset", at, features) from stdin'
HEAD = ("known", "ready in s", "MiB", "search p50 ms", "search p99 ms", "compared a second")


def main(arguments: list[str]) -> None:
    """Measures, prints, keeps."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks matching-process")
    asked.add_argument("--known", type=int, default=1_000_000)
    size = asked.parse_args(arguments).known
    people = profiles(int((size + ARRIVING) * 0.6) + 1, size + ARRIVING, SEED)
    with tempfile.TemporaryDirectory() as folder, town(Path(folder)) as place:
        desk = place.desk
        desk.kill()
        first = list(islice(people, min(size, LEARNT_FROM)))
        place.sets(_rules(first), valid_from=2)
        rounds.say(f"{size:,} profiles are made up and sealed")
        asyncio.run(_fill(place, first, people, size))
        found = {"known": size, "ready": _ready(desk)}
        desk.kill()
        found["ready"] = _ready(desk)
        found["mib"] = round(psutil.Process(desk.process.pid).memory_info().rss / 2**20)
        with httpx.Client(base_url=desk.url, trust_env=False, timeout=30) as client:
            waits = sorted(_search(client, one) for one in islice(people, SEARCHES))
        found |= {"p50": waits[len(waits) // 2] * 1e3, "p99": waits[len(waits) * 99 // 100] * 1e3}
        found["a_second"] = _arriving(place, list(people))
    rounds.say("\n" + report.as_markdown(HEAD, rows(found)))
    rounds.say(f"\nkept in {report.keep(found, 'matching-process').name}")


def rows(found: dict[str, Any]) -> list[list[str]]:
    """One line."""
    return [[
        f"{found['known']:,}", f"{found['ready']:.1f}", f"{found['mib']:,}", f"{found['p50']:.1f}",
        f"{found['p99']:.1f}", f"{found['a_second']:,}",
    ]]  # fmt: skip


def _rules(first: list[Profile]) -> MatchRules:
    model = estimate([features(person_of(record_of(one))) for one in first])
    made = json.loads(model.to_json())
    return DEFAULT.model_copy(update={"version": "bench", "matching": made})


async def _fill(place: Town, first: list[Profile], more: Iterator[Profile], size: int) -> None:
    """What the process would have stored of these people."""
    from services.identity.store import FORM

    settings = place.road.settings
    waiting = iter(first)
    async with pool(settings.postgres, name="bench") as own:
        keys = SubjectKeys(own, settings.key_encryption_key)
        for start in range(0, size, AT_ONCE):
            wanted = min(AT_ONCE, size - start)
            batch = list(islice(waiting, wanted))
            batch += islice(more, wanted - len(batch))
            opened = await keys.of([one.id for one in batch])
            async with (
                await psycopg.AsyncConnection.connect(settings.postgres) as connection,
                connection.cursor() as cursor, cursor.copy(COPY) as copy,
            ):  # fmt: skip
                for one in batch:
                    known = features(person_of(record_of(one)))
                    kept = sealed(one.id, 1, 1, known, opened[one.id])
                    await copy.write_row((UUID(bytes=one.id), FORM, 1, 1, kept.sealed))


def _ready(desk: Desk) -> float:
    began = time.perf_counter()
    desk.start()
    while not desk.ready():
        if time.perf_counter() - began > 600:
            raise TimeoutError("the matcher did not become ready")
        time.sleep(0.1)
    return time.perf_counter() - began


def _search(client: httpx.Client, profile: Profile) -> float:
    record = record_of(profile)
    typed = {
        name: value for name in ("name", "name_kana", "postcode", "address", "birth_date")
        if (value := getattr(record, name))
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {TOKENS['staff']}"}
    began = time.perf_counter()
    answer = client.post(f"{BASE}/search", json=typed, headers=headers)
    assert answer.status_code in (200, 422), answer.text
    return time.perf_counter() - began


def _arriving(place: Town, new: list[Profile]) -> int:
    """All are in the log before the process may go on: profiles a second of its own CPU."""
    desk = place.desk
    process = psutil.Process(desk.process.pid)
    before, applied = _number(desk, COMPARED), place.road.applied()
    process.send_signal(signal.SIGSTOP)
    place.tells(_fact(one) for one in new)
    place.until(lambda: place.road.applied() >= applied + len(new), 600)
    spent = sum(process.cpu_times()[:2])
    process.send_signal(signal.SIGCONT)
    place.until(lambda: _number(desk, COMPARED) >= before + len(new), 600)
    return round(len(new) / (sum(process.cpu_times()[:2]) - spent))


def _number(desk: Desk, name: str) -> float:
    text = httpx.get(f"{desk.url}/metrics", trust_env=False, timeout=60).text
    found = [line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0]) if found else 0.0


def _fact(profile: Profile) -> dict[str, Any]:
    record = record_of(profile)
    known = {
        name: value for name in ("name", "name_kana", "postcode", "address")
        if (value := getattr(record, name))
    }  # fmt: skip
    born = birth_date(record.birth_date)  # producers send dates, whatever the form had
    if born is not None:
        known["birth_date"] = born.isoformat()
    return registered(str(UUID(bytes=profile.id)), **known)
