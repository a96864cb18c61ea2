"""Many members spend at once: redeem, hold, capture, release, with retries, while servers die.

What the answers said is kept; `judge` then holds it against the log and against what is shown,
without any code of the decider.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from tests.services.deciding.asking import answered
from tests.services.points.wallet import HOLDS, REDEMPTIONS, TOKENS

PATIENCE = 600


@dataclass
class Seen:
    """What clients were told: captures by the fact they name; keys used for something else."""

    spent: dict[str, int] = field(default_factory=dict)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    contradictions: list[str] = field(default_factory=list)
    asked: int = 0


class Rush:
    """Clients over one HTTP address; an unanswered command is sent again with its key."""

    def __init__(self, url: str, members: list[UUID], many: int, seed: int = 1) -> None:
        self._url, self._members, self._left = url, members, many
        self._chance = random.Random(seed)
        self.seen = Seen()

    async def run(self, clients: int, beside: Callable[[], Awaitable[None]] | None = None) -> Seen:
        """Until everything was asked; `beside` goes on meanwhile."""
        limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
        async with httpx.AsyncClient(base_url=self._url, limits=limits, trust_env=False) as client:
            others = asyncio.ensure_future(beside()) if beside else None
            await asyncio.gather(*(self._till(client) for _ in range(clients)))
            if others is not None:
                await others
        return self.seen

    async def _till(self, client: httpx.AsyncClient) -> None:
        while self._left > 0:
            self._left -= 1
            who, points = self._chance.choice(self._members), self._chance.randint(1, 20)
            body = {"profile_id": str(who), "channel": "EC", "points": points}
            if self._chance.random() < 0.6:
                self._note(*await self._ask(client, "redeem", REDEMPTIONS, body))
                continue
            status, said = await self._ask(client, "redeem", HOLDS, {**body, "ttl_seconds": 600})
            if status != 201:
                continue
            name, drawn = said["hold_id"], self._chance.random()
            if drawn < 0.8:
                some = {"points": self._chance.randint(1, points)} if drawn < 0.3 else {}
                path = f"{HOLDS}/{name}/capture"
                self._note(*await self._ask(client, "capture", path, some))
            else:
                await self._ask(client, "release", f"{HOLDS}/{name}/release", {})

    def _note(self, status: int, said: dict[str, Any]) -> None:
        if status == 200:
            self.seen.spent[said["event_id"]] = said["points"]

    async def _ask(
        self, client: httpx.AsyncClient, what: str, path: str, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        key = secrets.token_hex(8)
        status, text = await self._answered(client, path, body, key)
        drawn = self._chance.random()
        if drawn < 0.1:
            again = await self._answered(client, path, body, key)
            if again != (status, text):
                self.seen.contradictions.append(f"{what}: {status} {text}, then {again}")
        elif drawn < 0.12:
            other = await self._answered(client, path, {**body, "points": 999}, key)
            if "points" in body and other[0] != 422:
                self.seen.contradictions.append(f"{what}: another body was answered {other}")
        self.seen.statuses[what, status] += 1
        self.seen.asked += 1
        return status, httpx.Response(status, text=text).json()

    async def _answered(
        self, client: httpx.AsyncClient, path: str, body: dict[str, Any], key: str
    ) -> tuple[int, str]:
        return await answered(client, path, body, key, TOKENS["ec"], PATIENCE)


@dataclass(frozen=True, slots=True)
class Fact:
    """One record: points earned (positive) or spent, lot by lot."""

    event_id: str
    moves: tuple[tuple[UUID, UUID, int], ...]


def judge(facts: list[Fact], shown: dict[UUID, int], seen: Seen) -> list[str]:
    """What is wrong: a lot overspent, an answer without a fact, a fact without an answer."""
    wrong = list(seen.contradictions)
    by_lot: Counter[tuple[UUID, UUID]] = Counter()
    by_profile: dict[UUID, int] = defaultdict(int)
    spent = {}
    for fact in facts:
        for profile_id, lot_id, points in fact.moves:
            by_lot[profile_id, lot_id] += points
            by_profile[profile_id] += points
        if fact.moves[0][2] < 0:
            spent[fact.event_id] = -sum(points for _, _, points in fact.moves)
    wrong += [f"lot {lot} of {who}: {left}" for (who, lot), left in by_lot.items() if left < 0]
    for event_id in spent.keys() | seen.spent.keys():
        if spent.get(event_id) != seen.spent.get(event_id):
            told, logged = seen.spent.get(event_id), spent.get(event_id)
            wrong.append(f"{event_id}: {told} said to be spent, {logged} in the log")
    for profile_id, points in shown.items():
        if by_profile[profile_id] != points:
            wrong.append(f"{profile_id}: {points} shown, {by_profile[profile_id]} in the log")
    return wrong
