"""Can one token take the memory, or the time, that others need?"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import psycopg
import pytest

from services.runtime.tokens import register
from tests.services.gateway.running import PRODUCER, TOKENS, Gateway, event, until

pytestmark = pytest.mark.servers
MEGABYTE = 1_048_576


@pytest.fixture(scope="module")
def slow(gateway: Gateway) -> str:
    """A token that will be slow."""
    with psycopg.connect(gateway.servers.postgres, autocommit=True) as connection:
        TOKENS["slow"] = "hitotsu_test_of_a_slow_sender"
        register(connection, "slow", PRODUCER, TOKENS["slow"], "operations")
    until(lambda: gateway.post([], token="slow").status_code == 400)
    return TOKENS["slow"]


def bodies(gateway: Gateway, token: str, many: int, sent: int) -> Iterator[socket.socket]:
    """Requests that say they are a megabyte, and stop after so many bytes."""
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {MEGABYTE}\r\n\r\n"
    )
    for _ in range(many):
        line = socket.create_connection(("127.0.0.1", gateway.port))
        line.sendall(head.encode() + b"[" * sent)
        yield line


@pytest.mark.parametrize("sent", [1, MEGABYTE - 1])
def test_a_slow_token_stops_no_other(gateway: Gateway, slow: str, sent: int) -> None:
    lines = list(bodies(gateway, slow, 140, sent))
    try:
        time.sleep(0.3)
        answers = [gateway.post(event()).status_code for _ in range(20)]
        assert answers == [202] * 20
    finally:
        for line in lines:
            line.close()
    until(lambda: gateway.post(event(), token="slow").status_code == 202)


def test_a_token_has_its_share_and_gets_it_back(gateway: Gateway, slow: str) -> None:
    lines = list(bodies(gateway, slow, 40, MEGABYTE - 1))
    refused: dict[int, bytes] = {}

    def eight_refused() -> bool:
        for number, line in enumerate(lines):
            line.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                refused[number] = refused.get(number, b"") + line.recv(2_000)
        return len(refused) >= 8  # of forty megabytes, thirty-two are its share

    try:
        until(eight_refused, 25)
        answer = next(iter(refused.values()))
        assert answer.startswith(b"HTTP/1.1 429")
        assert b"of this token" in answer
        assert b"retry-after: 1" in answer.lower()
    finally:
        for line in lines:
            line.close()
    until(lambda: gateway.post(event(), token="slow").status_code == 202)


def test_heads_without_an_end_take_no_memory(gateway: Gateway) -> None:
    gateway.post(event())
    process = psutil.Process(gateway.process.pid)
    before = process.memory_info().rss
    small = b"X-Small: " + b"x" * 50 + b"\r\n"
    for _ in range(8):
        with socket.create_connection(("127.0.0.1", gateway.port)) as line:
            line.sendall(b"POST /v1/events HTTP/1.1\r\nHost: gateway\r\n")
            try:
                for _ in range(4_000):
                    line.sendall(small * 200)
            except ConnectionError:
                continue
        pytest.fail("forty megabytes of headers were taken")
    assert process.memory_info().rss - before < 20 * MEGABYTE
    assert gateway.post(json.dumps(event()).encode()).status_code == 202
