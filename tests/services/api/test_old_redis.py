"""Redis that answers reads and takes no writes: is it left within two seconds, and believed again?

A real projector's thread writes to the real server, which is full, read-only, or an old dump.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from services.reading.age import EVERY_SECONDS, OLD_SECONDS
from services.runtime.metrics import REDIS_BACKLOG, REDIS_WRITES
from tests.services.api.applying import Applying, applying
from tests.services.api.conftest import Running
from tests.services.api.test_held_until_seen import received

pytestmark = [pytest.mark.servers, pytest.mark.faults]
SLOW = 2.0  # of a machine that does other things too
BOUND = OLD_SECONDS + EVERY_SECONDS + SLOW
PATIENCE_SECONDS = 60.0
"""What comes true in time, however busy the machine is."""


@pytest.fixture
def road(api: Running) -> Iterator[Applying]:
    with applying(api) as own:
        own.refresh()
        yield own


def shown(api: Running, sku: str) -> tuple[int, str]:
    found = api.answer(f"/v1/stock/{sku}")
    return found["data"]["locations"][0]["on_hand"], found["served_from"]


def until(true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def lag(api: Running, topic: str) -> float:
    """What the API says its answers lack."""
    text = api.ask("/metrics").text
    (value,) = re.findall(rf'hitotsu_api_lag_events{{topic="{topic}"}} (\S+)', text)
    return float(value)


@contextmanager
def configured(api: Running, **settings: str) -> Iterator[None]:
    with Redis.from_url(api.endpoints.redis, decode_responses=True) as client:
        before = {name: client.config_get(name)[name] for name in settings}
        for name, value in settings.items():
            client.config_set(name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                client.config_set(name, value)


@contextmanager
def full(api: Running) -> Iterator[None]:
    with configured(api, maxmemory="1"):
        yield


@contextmanager
def without_replicas(api: Running) -> Iterator[None]:
    with configured(api, **{"min-replicas-to-write": "1"}):
        yield


@contextmanager
def replica_of_nobody(api: Running) -> Iterator[None]:
    """As after a failover to which the old master does not come back."""
    with Redis.from_url(api.endpoints.redis) as client:
        client.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


@pytest.mark.parametrize("refusing", [full, without_replicas, replica_of_nobody])
def test_a_redis_that_refuses_writes_is_left_and_believed_again(
    api: Running, road: Applying, refusing: Callable[[Running], Any]
) -> None:
    sku = f"old-{uuid4().hex[:8]}"
    road.tell(received(sku, "W1", 1))
    until(lambda: api.ask(f"/v1/stock/{sku}").status_code == 200)
    until(lambda: shown(api, sku) == (1, "redis"))
    failed = REDIS_WRITES.labels("main", "failed")
    before = failed._value.get()
    with refusing(api):
        started = time.monotonic()
        for number in range(20):
            road.tell(received(sku, "W1", 1))
            if number == 0:
                until(lambda: shown(api, sku)[0] >= 2, BOUND)
        until(lambda: shown(api, sku) == (21, "postgres"), BOUND)
        while time.monotonic() - started < OLD_SECONDS + 1:
            assert shown(api, sku)[1] in ("postgres", "redis")
            time.sleep(0.1)
        assert [shown(api, sku) for _ in range(10)] == [(21, "postgres")] * 10
        until(lambda: REDIS_BACKLOG.labels("main")._value.get() >= 19)
        road.tell(received(sku, "W1", 1))
        until(lambda: failed._value.get() > before)
        assert shown(api, sku) == (22, "postgres")
    until(lambda: shown(api, sku) == (22, "redis"))
    until(lambda: REDIS_BACKLOG.labels("main")._value.get() == 0)


def test_the_lag_that_is_measured_is_that_of_what_is_served(api: Running, road: Applying) -> None:
    """Redis holds less than Postgres, and is asked all the same while that is young."""
    sku = f"old-{uuid4().hex[:8]}"
    road.tell(received(sku, "W1", 1))
    until(lambda: api.ask(f"/v1/stock/{sku}").status_code == 200)
    until(lambda: shown(api, sku) == (1, "redis"))
    found = api.answer(f"/v1/stock/{sku}")
    until(lambda: lag(api, "commerce.inventory") == found["lag"]["events"])


def test_an_old_dump_is_not_believed_and_filled_again(api: Running, road: Applying) -> None:
    sku, other = f"old-{uuid4().hex[:8]}", f"old-{uuid4().hex[:8]}"
    road.tell(received(sku, "W1", 1), received(other, "W1", 1))
    until(lambda: api.ask(f"/v1/stock/{other}").status_code == 200)
    until(lambda: shown(api, other) == (1, "redis"))
    with Redis.from_url(api.endpoints.redis, decode_responses=True) as client:
        client.save()
        folder = Path(client.config_get("dir")["dir"])
        dump = folder / client.config_get("dbfilename")["dbfilename"]
        road.tell(received(sku, "W1", 1))
        until(lambda: shown(api, sku) == (2, "redis"))
    try:
        api.servers.kill("redis")
        api.servers.restart_server("redis")
        with Redis.from_url(api.endpoints.redis) as client:
            generation = client.get("hitotsu:generation:main")
        # a batch about another item must not hide what the dump lacks
        road.tell(received(other, "W1", 1))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (told := shown(api, sku))[1] != "redis" or shown(api, other)[1] != "redis":
            assert told[0] == 2, f"{told}: the dump was believed"
            assert time.monotonic() < deadline, "Redis is not filled again"
            time.sleep(0.02)
        # a slow refresh may have Redis put aside once more
        until(lambda: (shown(api, sku), shown(api, other)) == ((2, "redis"), (2, "redis")))
        with Redis.from_url(api.endpoints.redis) as client:
            assert client.get("hitotsu:generation:main") not in (None, generation)
    finally:
        dump.unlink(missing_ok=True)
