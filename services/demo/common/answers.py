"""Queries the product's public HTTP API, and converts answers to the oracle's terms.

Requests with `durable` send `Cache-Control: no-cache`, so that Postgres answers instead of Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, Self, TypeVar

import httpx

from services.demo.shop import names

PAGE = 500
WORKERS = 8
T = TypeVar("T")
Data = Any


class Unanswered(Exception):
    """The API answered with another status than 200; the text has request, status and body."""


class Answers:
    """A client of the read API; raises `Unanswered` when an answer is not 200."""

    def __init__(self, url: str, token: str, customers: Collection[int]) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(60.0),
            limits=httpx.Limits(max_connections=2 * WORKERS),
            trust_env=False,
        )
        self._whose = {
            names.profile(system, customer): (kind, customer)
            for customer in customers
            for system, kind in ((names.POS, "card"), (names.EC, "account"))
        }
        self.apart: frozenset[int] = frozenset()  # customers who are two members

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def resolved(self, identifiers: Mapping[str, str]) -> dict[str, list[tuple[str, int]]]:
        """For each kind of identifier that resolves to a member, the profiles of that member."""
        kinds = list(identifiers)
        body = {"identifiers": [{"kind": kind, "value": identifiers[kind]} for kind in kinds]}
        found: dict[str, list[tuple[str, int]]] = {}
        for member in await self.post("/v1/members/resolve", body):
            for number in member["matched"]:
                found.setdefault(kinds[number], []).extend(self.profiles(member["profile_ids"]))
        return {kind: sorted(profiles) for kind, profiles in found.items()}

    def profiles(self, ids: Iterable[str]) -> list[tuple[str, int]]:
        """("card" or "account", customer) of profile ids, sorted; ("unknown", 0) of other ids."""
        return sorted(self._whose.get(profile, ("unknown", 0)) for profile in ids)

    def customer(self, profile: str | None) -> int | None:
        return None if profile is None else self._whose.get(profile, ("unknown", 0))[1]

    def whole(self, customer: int) -> list[str]:
        """A profile id per member of the customer: two for a customer in `apart`, else one."""
        systems = (names.EC, names.POS) if customer in self.apart else (names.EC,)
        return [names.profile(system, customer) for system in systems]

    async def of_member(self, customer: int, what: str, *, durable: bool = False) -> Data:
        """The answer of `/v1/members/<profile of the EC account>/<what>`."""
        return await self.get(f"/v1/members/{self.whole(customer)[0]}/{what}", durable=durable)

    async def of_customer(
        self, customer: int, what: str, *, durable: bool = False, **parameters: str
    ) -> list[Data]:
        """The answers of `/v1/members/<profile>/<what>`, for every member of the customer."""
        asked = [f"/v1/members/{one}/{what}" for one in self.whole(customer)]
        return [await self.get(path, durable=durable, **parameters) for path in asked]

    async def get(self, path: str, *, durable: bool = False, **parameters: str | int) -> Data:
        return (await self.envelope("GET", path, durable=durable, params=parameters))["data"]

    async def post(self, path: str, body: object, *, durable: bool = False) -> Data:
        return (await self.envelope("POST", path, durable=durable, json=body))["data"]

    async def pages(self, path: str, **parameters: str | int) -> AsyncIterator[Data]:
        """All entries of a list, read page by page."""
        cursor: dict[str, str] = {}
        while True:
            asked = {**parameters, "limit": PAGE, **cursor}
            page = await self.envelope("GET", path, params=asked)
            for entry in page["data"]:
                yield entry
            if not page.get("next_cursor"):
                return
            cursor = {"cursor": page["next_cursor"]}

    async def envelope(
        self, method: str, path: str, *, durable: bool = False, **request: Any
    ) -> dict[str, Any]:
        """A whole answer: `data`, position and lag."""
        answer = await self.raw(method, path, durable=durable, **request)
        if answer.status_code != httpx.codes.OK:
            raise self.unanswered(answer)
        envelope: dict[str, Any] = answer.json()
        return envelope

    async def raw(
        self, method: str, path: str, *, durable: bool = False, **request: Any
    ) -> httpx.Response:
        """The response, whatever its status."""
        headers = {"Cache-Control": "no-cache"} if durable else {}
        return await self._http.request(method, path, headers=headers, **request)

    @staticmethod
    def unanswered(answer: httpx.Response) -> Unanswered:
        request = answer.request
        return Unanswered(
            f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:300]}"
        )


async def in_parallel(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Runs `work` for all items, eight at a time."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(worker())
