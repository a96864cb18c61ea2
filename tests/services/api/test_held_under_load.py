"""Thousands of reads while holds become facts: is any of them told that held units are free?

All is reserved before the first read, and from then on only turned into facts, so that what is
available must not change at all.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.services.points.wallet import HOLDS, TOKENS, Wallet, wallet

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(600)]
RESERVATIONS = "/v1/stock/reservations"
READERS = 8


async def _asked(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {
        "Authorization": f"Bearer {TOKENS['ec']}",
        "Idempotency-Key": secrets.token_hex(8),
    }
    answer = await client.post(path, json=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _reads(
    url: str, paths: list[str], figure: Callable[[Any], Any], ended: asyncio.Event, least: int
) -> Counter[Any]:
    """What readers are told, until the facts are in and enough was asked."""
    told: Counter[Any] = Counter()
    headers = {"Authorization": f"Bearer {TOKENS['app']}"}

    async def reader(client: httpx.AsyncClient, number: int) -> None:
        while not ended.is_set() or told.total() < least:
            number += 1
            answer = await client.get(paths[number % len(paths)])
            assert answer.status_code == 200, answer.text
            body = answer.json()
            told[body["served_from"], figure(body["data"])] += 1

    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=20, trust_env=False
    ) as client:
        await asyncio.gather(*(reader(client, number) for number in range(READERS)))
    return told


async def _all(url: str, commands: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Every command's answer, so many at a time."""
    at_once = asyncio.Semaphore(READERS)
    async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:

        async def asked(path: str, body: dict[str, Any]) -> dict[str, Any]:
            async with at_once:
                return await _asked(client, path, body)

        return await asyncio.gather(*(asked(path, body) for path, body in commands))


async def _told(
    own: Wallet, commands: list[tuple[str, dict[str, Any]]], pages: list[str],
    figure: Callable[[Any], Any], least: int,
) -> Counter[Any]:  # fmt: skip
    """What readers of these pages are told while one command after the other is decided."""
    ended = asyncio.Event()
    reading = asyncio.ensure_future(_reads(own.reads, pages, figure, ended, least))
    async with httpx.AsyncClient(base_url=own.url, timeout=20, trust_env=False) as client:
        for path, body in commands:
            await _asked(client, path, body)
    ended.set()
    return await reading


def _by_source(told: Counter[Any]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for (source, _), many in told.items():
        sums[source] += many
    return dict(sums)


@pytest.mark.parametrize(("facts", "least"), [(500, 5_000)])
def test_no_read_shows_held_units_as_free(tmp_path: Path, facts: int, least: int) -> None:
    with wallet(tmp_path) as own:
        sku = f"item-{secrets.token_hex(4)}"
        own.append("StockReceived", sku=sku, location_id="W1", quantity=facts + 7)
        own.until(lambda: own.road.sql("select 1 from stock_cell where sku = %s", sku))
        line = {"sku": sku, "location_id": "W1", "quantity": 1}
        body = {"channel": "EC", "lines": [line], "ttl_seconds": 600}
        made = asyncio.run(_all(own.url, [(RESERVATIONS, body)] * facts))
        paths = [
            (f"{RESERVATIONS}/{one['reservation_id']}/commit", {"order_id": str(uuid4())})
            for one in made
        ]

        def figure(data: Any) -> Any:
            (cell,) = data["locations"]
            assert data["reserved_known"]
            assert cell["committed"] + cell["reserved"] == facts
            return cell["available"], data["online_atp"]

        own.read(f"/v1/stock/{sku}")
        told = asyncio.run(_told(own, paths, [f"/v1/stock/{sku}"], figure, least))
        assert {figure for _, figure in told} == {(7, 7)}, told
        assert told.total() >= least
        assert _by_source(told).get("redis", 0) > least / 2


@pytest.mark.parametrize(("facts", "least"), [(500, 5_000)])
def test_no_read_shows_held_points_as_free(tmp_path: Path, facts: int, least: int) -> None:
    with wallet(tmp_path) as own:
        people = [own.earned(10_000 + facts) for _ in range(20)]
        whose = [people[number % len(people)] for number in range(facts)]
        each = facts // len(people)
        body = {"channel": "EC", "points": 10, "ttl_seconds": 600}
        made = asyncio.run(_all(own.url, [(HOLDS, {**body, "profile_id": str(w)}) for w in whose]))
        paths = [
            (f"{HOLDS}/{one['hold_id']}/capture", {"transaction_id": str(uuid4()), "points": 10})
            for one in made
        ]

        def figure(data: Any) -> Any:
            assert data["held_known"]
            assert data["balance"] - data["held"] == data["available"]
            return data["available"]

        pages = [f"/v1/members/{who}/points" for who in people]
        own.points(people[0])
        told = asyncio.run(_told(own, paths, pages, figure, least))
        assert {figure for _, figure in told} == {10_000 + facts - 10 * each}, told
        assert told.total() >= least
        assert _by_source(told).get("redis", 0) > least / 2
