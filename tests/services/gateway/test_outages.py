"""What does a producer see while a server is away, and after it came back?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import psutil
import pytest

from infra.stack import Stack
from services.sdk import uuid7
from tests.services.gateway.running import Gateway, event, until

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("broken_off")]
Away = Callable[[Stack, str], AbstractContextManager[None]]


@contextmanager
def frozen(stack: Stack, server: str) -> Iterator[None]:
    """The server's processes are stopped, its connections stay open and silent."""
    parent = psutil.Process(stack.status()["servers"][server]["pid"])
    processes = [parent, *parent.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


@contextmanager
def killed(stack: Stack, server: str) -> Iterator[None]:
    """The server is gone, and started again afterwards."""
    stack.kill(server)
    try:
        yield
    finally:
        stack.restart_server(server)


def accepted(gateway: Gateway) -> bool:
    """One sale, tried once; the only other answer allowed is "again"."""
    answer = gateway.post(event())
    assert answer.status_code in (202, 503)
    return answer.status_code == 202


def refused_for_now(answer: httpx.Response) -> bool:
    """503 with a problem and a time to come back."""
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    return int(answer.headers["retry-after"]) >= 1


def test_a_silent_kafka_is_503_and_forgotten_when_it_answers_again(
    own_stack: Stack, own_gateway: Gateway
) -> None:
    assert accepted(own_gateway)
    with frozen(own_stack, "kafka"):
        started = time.monotonic()
        assert refused_for_now(own_gateway.post(event()))
        first = time.monotonic() - started
        assert first < 7
        started = time.monotonic()
        assert refused_for_now(own_gateway.post(event()))
        second = time.monotonic() - started
        assert second < first / 2, "the second one need not wait to know"
        assert own_gateway.http.get("/readyz").status_code == 503
        assert own_gateway.http.get("/livez").status_code == 200
    until(lambda: accepted(own_gateway))
    until(lambda: own_gateway.http.get("/readyz").status_code == 200)


def test_a_killed_kafka_is_503_until_it_is_back(own_stack: Stack, own_gateway: Gateway) -> None:
    assert accepted(own_gateway)
    with killed(own_stack, "kafka"):
        assert refused_for_now(own_gateway.post(event()))
    until(lambda: accepted(own_gateway))


@pytest.mark.parametrize("away", [frozen, killed])
def test_without_postgres_sales_go_in_and_personal_data_waits(
    own_stack: Stack, own_gateway: Gateway, away: Away
) -> None:
    assert accepted(own_gateway)
    personal = event("ProfileRegistered", profile_id=uuid7())
    with away(own_stack, "postgres"):
        assert accepted(own_gateway), "the token is known and nothing has to be sealed"
        assert refused_for_now(own_gateway.post(personal))
        assert accepted(own_gateway)
        assert own_gateway.http.get("/readyz").status_code == 200
    until(lambda: own_gateway.post(personal).status_code == 202)


def test_a_gateway_that_starts_before_kafka_waits_for_it(own_stack: Stack) -> None:
    with Gateway(own_stack.endpoints()) as early:
        with frozen(own_stack, "kafka"):
            early.stop()
            early.start()
            assert refused_for_now(early.post(event()))
        until(lambda: accepted(early))


def test_a_gateway_told_to_stop_answers_what_it_was_asked(own_stack: Stack) -> None:
    statuses: list[int] = []
    with Gateway(own_stack.endpoints()) as leaving:
        threads = [threading.Thread(target=_sell, args=(leaving, statuses)) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(statuses) > 20)
        assert leaving.stop() == 0
        for thread in threads:
            thread.join(10)
    assert set(statuses) == {202}


def _sell(gateway: Gateway, statuses: list[int]) -> None:
    while True:
        try:
            statuses.append(gateway.post(event()).status_code)
        except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError):
            return
