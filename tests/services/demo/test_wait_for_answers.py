"""Does the demo wait as long as anything moves, and no longer?"""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import httpx
import pytest
from rich.console import Console

from services.demo import wait_for_answers
from services.demo.common.answers import Answers
from services.demo.common.bars import Lane, bars
from services.demo.wait_for_answers import StandsStill, caught_up

MEMBERS, STOCK = "/v1/members", "/v1/stock"
ENDS = {"commerce.members-0": 10, "commerce.inventory-0": 4}


class Api:
    """An API whose members are up to date, and whose stock has `left` events to read.

    `moves`: it reads one of them between two questions.
    """

    def __init__(self, left: int, *, moves: bool = True) -> None:
        self.left, self.moves = left, moves

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "min_position" in request.url.params and self.left:
            assert json.loads(request.url.params["min_position"]) == ENDS
            return httpx.Response(504)
        stock = request.url.path == STOCK
        told: dict[str, Any] = {"data": [], "lag": {"events": self.left if stock else 0}}
        if stock and self.left and self.moves:
            self.left -= 1
        return httpx.Response(200, json=told)


async def waited(api: Api) -> None:
    async with Answers("http://api.example", "token", []) as answers:
        answers._http = httpx.AsyncClient(
            base_url="http://api.example", transport=httpx.MockTransport(api)
        )
        with bars(Console(file=io.StringIO())) as progress:
            await caught_up(answers, [MEMBERS, STOCK], ENDS, Lane(progress, "catching up", 2))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_for_answers, "STANDSTILL_SECONDS", 0.3)


def test_a_route_without_lag_waits_for_what_others_still_have_to_read() -> None:
    asyncio.run(waited(Api(left=8)))


def test_it_does_not_wait_for_ever() -> None:
    with pytest.raises(StandsStill, match="'/v1/stock': 3"):
        asyncio.run(waited(Api(left=3, moves=False)))
