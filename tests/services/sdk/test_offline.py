"""Does a till that was cut off, and killed on the way, lose a sale? Does its disk tell anything?"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.sdk import AsyncClient, Buffer, Client, event_id_for, uuid7
from tests.services.gateway.running import (
    PRIVATE_KEY,
    TOKENS,
    Gateway,
    ends,
    event,
    records,
    until,
)

pytestmark = pytest.mark.servers
SALES = 1_000
TILL = """
import sys
from services.sdk import Buffer, Client
from tests.services.sdk.test_offline import sales
from tests.services.gateway.running import PRIVATE_KEY, TOKENS

path, url, terminal = sys.argv[1:]
buffer = Buffer(path, bytes(PRIVATE_KEY.public_key))
with Client(url, TOKENS["till"], buffer, patience=5) as till:
    for sale in sales(terminal):
        till.send([sale])
        print(sale["meta"]["event_id"], flush=True)
    while till.flush():
        pass
"""


def sales(terminal: str, count: int = SALES) -> list[dict[str, Any]]:
    """The same sales with the same ids, however often they are made."""
    made = [event() for _ in range(count)]
    for sequence, sale in enumerate(made):
        sale["meta"]["event_id"] = event_id_for("pos", "S1", terminal, 0, sequence, "sale")
    return made


def test_a_till_that_is_offline_for_a_thousand_sales_and_killed_sends_them_all(
    gateway: Gateway, tmp_path: Path
) -> None:
    path, terminal = tmp_path / "till", uuid7()
    before = ends(gateway.servers, "commerce.purchases")
    buffer = Buffer(path, bytes(PRIVATE_KEY.public_key))
    with Client("http://127.0.0.1:9", TOKENS["till"], buffer) as till:
        for sale in sales(terminal):
            assert till.send([sale]).buffered == 1
    assert len(buffer) == SALES
    for left in (950, 700, 400, 100):
        _killed_while_flushing(path, gateway.url, buffer, left)
        assert 0 < len(buffer) <= left, "killed on the way, not after it"
    with Client(gateway.url, TOKENS["till"], buffer) as till:
        assert till.flush() == 0
    buffer.close()
    assert _missing(gateway, before, terminal) == set()


def test_a_till_killed_at_any_point_has_every_sale_it_was_told_is_safe(
    gateway: Gateway, tmp_path: Path
) -> None:
    path, terminal = tmp_path / "till", uuid7()
    before = ends(gateway.servers, "commerce.purchases")
    argv = [sys.executable, "-c", TILL, str(path), gateway.url, terminal]
    told = set()
    for receipts in (1, 30, 75):
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            told |= {running.stdout.readline().strip() for _ in range(receipts)}
            running.send_signal(signal.SIGKILL)
            told |= set(running.stdout.read().split())
    assert len(told) >= 75
    buffer = Buffer(path, bytes(PRIVATE_KEY.public_key))
    with Client(gateway.url, TOKENS["till"], buffer) as till:
        assert till.flush() == 0
    buffer.close()
    found = {dict(each.headers())["ce_id"].decode() for each in _written(gateway, before)}
    assert told <= found


def test_a_buffer_holds_nothing_that_can_be_read(tmp_path: Path) -> None:
    buffer = Buffer(tmp_path / "till", bytes(PRIVATE_KEY.public_key))
    profile = event("ProfileRegistered", name="秘密 太郎")
    with Client("http://127.0.0.1:9", TOKENS["till"], buffer) as till:
        till.send([profile, event("InquiryOpened", text="秘密の話")])
    clear = ["秘密", "ProfileRegistered", *(each["value"] for each in profile["identifiers"])]
    files = list(tmp_path.iterdir())
    assert files
    for file in files:
        kept = file.read_bytes()
        assert not any(text.encode() in kept for text in clear)
        assert file.stat().st_mode & 0o077 == 0
    buffer.close()


def test_the_asynchronous_client_does_the_same(gateway: Gateway, tmp_path: Path) -> None:
    async def sell() -> None:
        async with AsyncClient(gateway.url, TOKENS["till"]) as direct:
            key = await direct.sealing_key()
            many = await asyncio.gather(*(direct.send([event()]) for _ in range(20)))
            assert all(results.accepted == 1 for results in many)
        buffer = Buffer(tmp_path / "till", key)
        async with AsyncClient("http://127.0.0.1:9", TOKENS["till"], buffer) as cut_off:
            many = await asyncio.gather(*(cut_off.send([event()]) for _ in range(20)))
            assert all(results.buffered == 1 for results in many)
            assert await cut_off.flush(0.2) == 20
        async with AsyncClient(gateway.url, TOKENS["till"], buffer) as back:
            assert (await back.send([event()])).accepted == 1
            assert await back.flush() == 0
        buffer.close()

    asyncio.run(sell())


def _killed_while_flushing(path: Path, url: str, buffer: Buffer, left: int) -> None:
    flushing = (
        "import sys; from services.sdk import Buffer, Client, delivery\n"
        "from tests.services.gateway.running import PRIVATE_KEY, TOKENS\n"
        "delivery.MOST_EVENTS = 10\n"
        "Client(sys.argv[2], TOKENS['till'],"
        " Buffer(sys.argv[1], bytes(PRIVATE_KEY.public_key))).flush()"
    )
    running = subprocess.Popen([sys.executable, "-c", flushing, str(path), url])
    until(lambda: len(buffer) <= left, pause=0.002)
    running.send_signal(signal.SIGKILL)
    running.wait()


def _written(gateway: Gateway, before: dict[int, int]) -> list[Any]:
    return records(gateway.servers, "commerce.purchases", before)


def _missing(gateway: Gateway, before: dict[int, int], terminal: str) -> set[str]:
    wanted = {str(sale["meta"]["event_id"]) for sale in sales(terminal)}
    return wanted - {dict(r.headers())["ce_id"].decode() for r in _written(gateway, before)}
