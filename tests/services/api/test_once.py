"""Is what many ask at once fetched once, and does each get what it asked for?"""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import UUID

import pytest
from redis import Redis
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.testclient import TestClient

from infra.backend import Endpoints
from projections.member import profile
from projections.shared_stock import cell
from services.http.route_table import Addresses
from services.reading.position import AnswerSources
from services.reading.reach import Reach
from services.reading.redis_views import ViewReader
from services.reading.subject_page import CachingRead

POINTS = frozenset({"commerce.points"})
GROUP = "once"


class Read:
    """Counts what is fetched."""

    def __init__(self) -> None:
        self.fetched: list[Any] = []

    async def rows(self, table: Any, **keys: Any) -> list[dict[str, Any]]:
        self.fetched.append((table.name, keys))
        await asyncio.sleep(0)
        return [{"table": table.name, **keys}]

    async def together(self, *asked: Any) -> list[list[dict[str, Any]]]:
        return [await self.rows(table, **keys) for table, keys in asked]

    def page(self) -> str:
        return "a page"


async def test_parts_of_an_answer_share_rows_and_may_change_their_own() -> None:
    read = Read()
    once, mine = CachingRead(cast(Any, read)), [UUID(int=1)]
    first, second, other, together = await asyncio.gather(
        once.rows(profile, profile_id=mine), once.rows(profile, profile_id=mine),
        once.rows(cell, sku="tea"), once.together((profile, {"profile_id": mine}), (cell, {})),
    )  # fmt: skip
    assert first == second
    assert [rows[0]["table"] for rows in together] == ["profile", "stock_cell"]
    assert other == [{"table": "stock_cell", "sku": "tea"}]
    assert [name for name, _ in read.fetched] == ["profile", "stock_cell", "profile", "stock_cell"]
    first[0]["table"] = "changed"
    assert (await once.rows(profile, profile_id=mine))[0]["table"] == "profile"
    assert len(read.fetched) == 4
    assert cast(Any, once).page() == "a page"


async def test_an_error_is_told_to_every_part() -> None:
    class Failing(Read):
        async def rows(self, table: Any, **keys: Any) -> list[dict[str, Any]]:
            raise LookupError(table.name)

    once = CachingRead(cast(Any, Failing()))
    asked = (once.rows(cell, sku="tea") for _ in range(3))
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in told] == [LookupError] * 3


def test_the_reach_of_an_answer_follows_its_sources_and_the_ends() -> None:
    class Ends:
        known: object = {}
        end = 10

        def lag(self, position: dict[str, int], topics: Any) -> tuple[int | None, str | None]:
            return self.end - position["commerce.points-0"], None

    ends = Ends()
    reach = Reach(cast(Any, ends))

    def told(position: dict[str, int], postgres: bool = False) -> bytes:
        used = AnswerSources()
        used.add(POINTS, position, postgres=postgres)
        return reach.of(used)

    seven = {"commerce.points-0": 7}
    said = b'"position":{"commerce.points-0":7},"lag":{"events":3},"served_from":"redis"'
    assert told(seven) == told(seven) == said
    assert b'"events":1}' in told({"commerce.points-0": 9})
    assert b'"served_from":"postgres"' in told(seven, postgres=True)
    ends.known, ends.end = {}, 12
    assert b'"events":5}' in told(seven), "the ends have moved"
    for offset in range(1_000):
        assert b'"commerce.points-0":%d}' % offset in told({"commerce.points-0": offset})


def test_an_address_is_found_as_by_trying_every_route() -> None:
    async def say(request: Request) -> Response:
        return PlainTextResponse(f"{request.scope['route'].path} {request.path_params}")

    paths = ["/v1/stock/{sku}", "/v1/stock", "/v1/inquiries/counts", "/v1/inquiries/{id}", "/docs"]
    plain = [Route(path, say) for path in paths]

    found, tried = TestClient(Addresses(plain)), TestClient(Router(plain))
    for path in (
        "/v1/stock/tea", "/v1/stock/%2F", "/v1/stock/a%2Fb", "/v1/stock", "/v1/inquiries/counts",
        "/v1/inquiries/7", "/docs", "/v1/", "/v1/nothing", "/v1/stock/a/b", "/", "/v1/stock/",
    ):  # fmt: skip
        one, other = found.get(path), tried.get(path)
        assert (one.status_code, one.text) == (other.status_code, other.text), path
    assert found.post("/v1/stock/tea").status_code == tried.post("/v1/stock/tea").status_code
    with pytest.raises(TypeError, match="literal"):
        Addresses([Route("/v1/{anything}", say)])


@pytest.mark.servers
async def test_who_asks_redis_at_once_is_answered_in_one_transaction_each_with_their_own(
    servers: Endpoints,
) -> None:
    url = servers.redis.rpartition("/")[0] + "/9"
    with Redis.from_url(url, decode_responses=True) as client:
        client.flushdb()
        client.set(f"hitotsu:generation:{GROUP}", "g")
        client.hset(f"hitotsu:position:{GROUP}", mapping={"commerce.points-0": 3, "x.y-1": 4})
        for number in range(50):
            client.hset(f"hash:{number}", mapping={"field": f"1|[{number}]"})
        views = ViewReader(url, doubted=lambda: None)
        views.generations = {GROUP: "g"}
        await views.read(GROUP, ())
        before = client.info("commandstats")["cmdstat_multi"]["calls"]
        topics = [POINTS if number % 2 else None for number in range(50)]
        answers = await asyncio.gather(
            *(
                views.read(GROUP, (f"hash:{number}", "hash:none"), topics[number])
                for number in range(50)
            )
        )
        assert client.info("commandstats")["cmdstat_multi"]["calls"] == before + 1
    whole = {"commerce.points-0": 3, "x.y-1": 4}
    for number, answer in enumerate(answers):
        own = {"commerce.points-0": 3} if topics[number] else whole
        assert answer == ([[f"1|[{number}]"], []], own)
    views.due = {GROUP: {"x.y-1": 5}}
    assert await views.read(GROUP, (), POINTS) is not None, "its topics are new enough"
    assert await views.read(GROUP, ()) is None
    views.due = {GROUP: {"x.y-1": 4}}
    assert await views.read(GROUP, ()) is not None
    await views.close()
