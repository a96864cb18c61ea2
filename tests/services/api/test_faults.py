"""What is answered while Redis, Postgres or Kafka is emptied, stopped or frozen."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.services.api.conftest import Running
from tests.services.api.shop import CARD, same

pytestmark = [pytest.mark.servers, pytest.mark.faults]
POINTS = f"/v1/members/{CARD}/points"


@contextmanager
def stopped(api: Running, server: str) -> Iterator[None]:
    api.servers.kill(server)
    try:
        yield
    finally:
        api.servers.restart_server(server)


@contextmanager
def frozen(api: Running, server: str) -> Iterator[None]:
    api.servers.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        api.servers.kill(server, signal.SIGCONT)


def test_an_emptied_or_foreign_redis_is_not_believed(api: Running) -> None:
    hot = api.until(POINTS, "redis")
    with redis.Redis.from_url(api.endpoints.redis) as client:
        client.flushdb()
        empty = api.answer(POINTS)
        client.set("hitotsu:generation:main", "another")
        foreign = api.answer(POINTS)
    assert empty["served_from"] == foreign["served_from"] == "postgres"
    assert same(hot, empty)
    assert same(hot, foreign)
    api.shop.copy_to_redis()
    api.until(POINTS, "redis")


def test_a_generation_that_postgres_changed_ends_the_belief(api: Running) -> None:
    api.until(POINTS, "redis")
    other = "8d7f2b1e-0000-4000-8000-000000000002"
    change = "update cache_generation set generation = %s"
    try:
        api.shop.execute(change, other)
        api.until(POINTS, "postgres")
        api.shop.copy_to_redis(generation=other)
        api.until(POINTS, "redis")
    finally:
        api.shop.execute(change, "8d7f2b1e-0000-4000-8000-000000000001")
        api.shop.copy_to_redis()


def test_a_stopped_redis_costs_nothing_but_speed(api: Running) -> None:
    hot = api.until(POINTS, "redis")
    with stopped(api, "redis"):
        cold = api.answer(POINTS)
        assert cold["served_from"] == "postgres"
        assert same(hot, cold)
    api.shop.copy_to_redis()
    api.until(POINTS, "redis")


def test_a_frozen_redis_is_left_alone_after_half_a_second(api: Running) -> None:
    hot = api.until(POINTS, "redis")
    with frozen(api, "redis"):
        times = []
        for _ in range(20):
            started = time.monotonic()
            assert same(hot, api.answer(POINTS))
            times.append(time.monotonic() - started)
    assert max(times) < 2.0
    assert sorted(times)[len(times) // 2] < 0.2
    api.until(POINTS, "redis")


def test_without_kafka_only_the_lag_is_unknown(api: Running) -> None:
    deadline = time.monotonic() + 60
    while api.answer(POINTS)["lag"]["events"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with frozen(api, "kafka"):
        deadline = time.monotonic() + 60
        while (lag := api.answer(POINTS)["lag"])["events"] is not None:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert "Kafka" in lag["reason"]
        assert api.ask("/readyz").status_code == 200
    deadline = time.monotonic() + 60
    while api.answer(POINTS)["lag"]["events"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_without_postgres_redis_answers_and_the_rest_says_when_to_ask_again(api: Running) -> None:
    hot = api.until(POINTS, "redis")
    with stopped(api, "postgres"):
        time.sleep(1.5)
        alone = api.answer(POINTS)
        assert not alone["data"].pop("held_known"), "who could say what is held?"
        assert hot["data"].pop("held_known")
        assert same(hot, alone)
        away = api.ask("/v1/inquiries")
        assert away.status_code == 503
        assert int(away.headers["retry-after"]) >= 1
        assert away.headers["content-type"] == "application/problem+json"
        assert api.ask("/readyz").status_code == 503
        assert api.ask("/livez").status_code == 200
    deadline = time.monotonic() + 60
    while api.ask("/v1/inquiries").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_without_both_a_hot_read_is_refused_and_not_broken(api: Running) -> None:
    with stopped(api, "postgres"), stopped(api, "redis"):
        assert api.ask(POINTS).status_code == 503
    api.shop.copy_to_redis()
    deadline = time.monotonic() + 60
    while api.ask(POINTS).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    api.until(POINTS, "redis")


def test_a_frozen_postgres_ends_in_a_bounded_refusal_and_comes_back(api: Running) -> None:
    api.ask("/v1/inquiries")
    hot = api.until(POINTS, "redis")
    with frozen(api, "postgres"):
        started = time.monotonic()
        refused = [api.ask("/v1/inquiries").status_code for _ in range(2)]
        assert same(hot, api.answer(POINTS))
        assert time.monotonic() - started < 15
    assert set(refused) <= {200, 503}
    deadline = time.monotonic() + 60
    while api.ask("/v1/inquiries").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
