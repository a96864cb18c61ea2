"""Does the bulk producer bring in everything, in order, once Kafka has it?"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from infra.stack import Stack
from schemas.wire import codec
from services.bulk import BulkProducer, Counts
from services.runtime.config import Settings
from services.sdk import profile_id, uuid7
from tests.forks import run
from tests.services.gateway.running import ends, environment, event, prepare, records

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("broken_off")]


def _settings(servers: Any, **more: Any) -> Settings:
    named: dict[str, Any] = {
        k.removeprefix("HITOTSU_").lower(): v for k, v in environment(servers).items()
    }
    return Settings(**named, **more)


def _send(settings: Settings, events: list[Any], progress: Any = None, **options: Any) -> Counts:
    async def all_of_them() -> Counts:
        async with BulkProducer(settings, **options) as bulk:
            return await bulk.send(iter(events), progress)

    return asyncio.run(all_of_them())


def _sales(count: int, run: str) -> list[dict[str, Any]]:
    """Sales of fifty customers; the receipt number says which came after which."""
    return [
        event(profile_id=profile_id(run, n % 50), receipt_number=f"{n:09}") for n in range(count)
    ]


def _assert_in_order(servers: Any, before: dict[int, int], sales: list[dict[str, Any]]) -> int:
    """Every sale is there, and the first time a customer's are seen they are in order."""
    ours = {sale["meta"]["event_id"] for sale in sales}
    seen: dict[bytes, list[str]] = defaultdict(list)
    first, total = set(), 0
    for record in records(servers, "commerce.purchases", before):
        identity = dict(record.headers())["ce_id"].decode()
        if identity not in ours:
            continue
        total += 1
        if identity not in first:
            first.add(identity)
            written: Any = codec.decode(record.value())
            seen[record.key()].append(written.receipt_number)
    assert first == ours
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    return total


def test_everything_goes_in_once_and_in_order(servers: Any) -> None:
    prepare(servers)
    before = ends(servers, "commerce.purchases")
    sales = _sales(5_000, uuid7())
    told: list[int] = []
    counts = _send(_settings(servers), sales, told.append, chunk=300)
    assert (counts.accepted, counts.rejected) == (5_000, 0)
    assert counts.by_type == {"PurchaseCompleted": 5_000}
    assert sum(told) == 5_000
    assert _assert_in_order(servers, before, sales) == 5_000


def test_what_is_wrong_is_counted_with_field_and_reason(servers: Any) -> None:
    prepare(servers)
    settings = _settings(servers, accrual="rules")
    events = [
        event(),
        event(total="x"),
        event("PointsEarned"),
        {"type": "?"},
        event("SubjectErased"),
    ]
    counts = _send(settings, events, chunk=2)
    assert (counts.accepted, counts.rejected) == (1, 4)
    assert [(index, refusal.field) for index, refusal in counts.refusals] == [
        (1, "total"), (2, "type"), (3, "type"), (4, "type"),
    ]  # fmt: skip


def test_personal_data_is_sealed(servers: Any) -> None:
    prepare(servers)
    before = ends(servers, "commerce.members")
    people = [event("ProfileRegistered", profile_id=uuid7()) for _ in range(200)]
    assert _send(_settings(servers), people).accepted == 200
    clear = [people[0]["name"], *(each["value"] for each in people[0]["identifiers"])]
    for record in records(servers, "commerce.members", before):
        assert not any(text.encode() in record.value() for text in clear)


def test_a_file_is_sent_from_the_command_line(servers: Any, tmp_path: Path) -> None:
    prepare(servers)
    file = tmp_path / "day.ndjson"
    file.write_text("\n".join([json.dumps(event()), "", "{broken", json.dumps(event())]), "utf-8")
    done = _bulk(servers, str(file))
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["accepted"], told["rejected"]) == (2, 1)
    assert _bulk(servers, str(tmp_path / "none")).returncode == 2
    assert _bulk(servers).returncode == 2


def _bulk(servers: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment(servers)}
    done = run("services.bulk", *arguments, env=env, timeout=60)
    assert "Traceback" not in done.stderr
    return done


def test_a_kafka_killed_on_the_way_loses_and_reorders_nothing(own_stack: Stack) -> None:
    servers = own_stack.endpoints()
    before = ends(servers, "commerce.purchases")
    sales = _sales(8_000, uuid7())
    done = 0
    killer = threading.Thread(target=_restart, args=(own_stack,))

    def progress(count: int) -> None:
        nonlocal done
        if done < 2_000 <= done + count:
            killer.start()
            time.sleep(0.2)
        done += count

    counts = _send(_settings(servers), sales, progress, chunk=200, timeout=1.0)
    killer.join()
    assert counts.accepted == 8_000
    assert _assert_in_order(servers, before, sales) >= 8_000


def _restart(stack: Stack) -> None:
    stack.kill("kafka")
    stack.restart_server("kafka")
