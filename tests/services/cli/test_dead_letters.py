"""What can an operator do about a record that could not be applied?"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import Producer

from infra.stack import ROOT, Stack
from schemas.generated.events import StockReceived
from schemas.generated.events.parts import Meta
from schemas.generated.events.parts import Producer as Source
from schemas.wire import codec
from tests.forks import run

pytestmark = pytest.mark.servers
TOPIC = "commerce.inventory"


def received(sku: str, quantity: int = 3) -> StockReceived:
    source = Source(system="wms", channel="HEAD_OFFICE")
    meta = Meta(event_id=uuid4().bytes, occurred_at=1_750_000_000_000_000, producer=source)
    return StockReceived(meta=meta, sku=sku, location_id="S1", quantity=quantity)


def test_a_record_that_cannot_be_read_is_shown_whole_and_dropped_with_a_reason(
    stack: Stack,
) -> None:
    value = codec.encode(received("tea"))[:-2]
    letter = _put_aside(stack, b"tea", value)

    assert letter["stage"] == "decode"
    assert letter["record_value"] == value.hex()
    assert letter["reason"] == "the value ends in the middle of the event"
    refused = hitotsu(stack, "retry", str(letter["id"]))
    assert (refused.returncode, "the record still cannot be decoded" in refused.stdout) == (1, True)
    assert hitotsu(stack, "drop", str(letter["id"]), "--reason", "test till").returncode == 0
    shown = json.loads(hitotsu(stack, "show", str(letter["id"]), "--json").stdout)
    assert (shown["status"], shown["note"]) == ("dropped", "test till")
    assert hitotsu(stack, "drop", str(letter["id"]), "--reason", "again").returncode == 1


def test_a_conflict_is_not_sent_again_but_answered_with_a_reason(stack: Stack) -> None:
    event = received("rice")
    _append(stack, b"rice", codec.encode(event))
    letter = _put_aside(stack, b"rice", codec.encode(replace(event, quantity=9)))

    assert letter["stage"] == "conflict"
    told = hitotsu(stack, "retry", str(letter["id"]))
    assert told.returncode == 1
    assert "send a correction" in told.stdout


def test_an_event_that_postgres_refused_is_applied_once_it_can_be_and_is_sent_again(
    stack: Stack,
) -> None:
    """A total that does not fit is refused; after a correction the same record goes in."""
    most = 2**62
    with _database(stack) as connection:
        connection.execute(
            "insert into main.stock_cell values ('salt', 'S1', %s, null, null, null, 0, 0, 0, 1)",
            [most + (most - 2)],
        )
    letter = _put_aside(stack, b"salt", codec.encode(received("salt")))
    assert letter["stage"] == "store"
    with _database(stack) as connection:
        connection.execute("update main.stock_cell set on_hand = 0 where sku = 'salt'")

    told = hitotsu(stack, "retry", str(letter["id"]))
    assert told.returncode == 0, told.stdout
    assert "sent again, now commerce.inventory-" in told.stdout

    def on_hand() -> int | None:
        with _database(stack) as connection:
            row = connection.execute(
                "select on_hand from main.stock_cell where sku = 'salt'"
            ).fetchone()
        return row[0] if row else None

    _until(lambda: on_hand() == 3)


def test_an_id_that_is_not_there_is_named(stack: Stack) -> None:
    told = hitotsu(stack, "show", "987654")
    assert told.returncode == 1
    assert "there is no dead letter 987654" in told.stderr


def hitotsu(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HITOTSU_HOME": str(stack.home.path), "PYTHONPATH": str(ROOT)}
    return run("services.cli", "dead-letters", *words, env=env, timeout=60)


def _put_aside(stack: Stack, key: bytes, value: bytes) -> dict[str, Any]:
    """Appends a record and waits for it among the dead letters."""
    _append(stack, key, value)
    found: list[dict[str, Any]] = []

    def listed() -> bool:
        told = hitotsu(stack, "list", "--json", "--status", "open", "--topic", TOPIC)
        found[:] = [
            one for one in json.loads(told.stdout or "[]") if one["record_value"] == value.hex()
        ]
        return bool(found)

    _until(listed)
    assert len(found) == 1
    return found[0]


def _append(stack: Stack, key: bytes, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": stack.endpoints().kafka, "acks": "all"})
    producer.produce(TOPIC, value, key)
    assert producer.flush(30) == 0


def _database(stack: Stack) -> psycopg.Connection[Any]:
    return psycopg.connect(stack.endpoints().postgres, autocommit=True)


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
