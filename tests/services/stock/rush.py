"""Many want few units: reserve, commit, release or forget, with retries, while the process dies.

What the answers said is kept; `judge` then works out, from the rows of holds and from the log, what
was free at the position of each grant, without any code of the decider.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.services.deciding.asking import answered
from tests.services.stock.shop import BASE, TOKENS

PATIENCE = 200


@dataclass
class Seen:
    """What clients were told."""

    granted: dict[str, dict[str, Any]] = field(default_factory=dict)
    committed: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    contradictions: list[str] = field(default_factory=list)
    asked: int = 0


class Rush:
    """Clients over one HTTP address; an unanswered command is sent again with its key."""

    def __init__(self, url: str, sku: str, many: int, seed: int = 1, ttl: int = 2) -> None:
        self._url, self._sku, self._left, self._ttl = url, sku, many, ttl
        self._chance = random.Random(seed)
        self.seen = Seen()

    async def run(self, clients: int, beside: Callable[[], Awaitable[None]] | None = None) -> Seen:
        """Until everything was asked; `beside` goes on meanwhile."""
        limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
        async with httpx.AsyncClient(base_url=self._url, limits=limits, trust_env=False) as client:
            others = asyncio.ensure_future(beside()) if beside else None
            await asyncio.gather(*(self._customer(client) for _ in range(clients)))
            if others is not None:
                await others
        return self.seen

    async def _customer(self, client: httpx.AsyncClient) -> None:
        while self._left > 0:
            self._left -= 1
            lines = [{"sku": self._sku, "location_id": "W1", "quantity": 1}]
            body = {"channel": "EC", "lines": lines, "ttl_seconds": self._ttl}
            status, said = await self._ask(client, "reserve", "", body)
            if status != 201:
                continue
            name = said["reservation_id"]
            self.seen.granted[name] = said
            drawn = self._chance.random()
            if drawn < 0.3:
                status, _ = await self._ask(
                    client, "commit", f"/{name}/commit", {"order_id": str(uuid4())}
                )
                if status == 200:
                    self.seen.committed.add(name)
            elif drawn < 0.4:
                status, _ = await self._ask(client, "release", f"/{name}/release", {})
                if status == 200:
                    self.seen.released.add(name)

    async def _ask(
        self, client: httpx.AsyncClient, what: str, path: str, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        key = secrets.token_hex(8)
        status, text = await self._answered(client, path, body, key)
        if self._chance.random() < 0.1:
            again = await self._answered(client, path, body, key)
            if again != (status, text):
                self.seen.contradictions.append(f"{what}: {status} {text}, then {again}")
        self.seen.statuses[what, status] += 1
        self.seen.asked += 1
        return status, httpx.Response(status, text=text).json()

    async def _answered(
        self, client: httpx.AsyncClient, path: str, body: dict[str, Any], key: str
    ) -> tuple[int, str]:
        return await answered(client, BASE + path, body, key, TOKENS[self._who(body)], PATIENCE)

    def _who(self, body: dict[str, Any]) -> str:
        return "ec"


class Mixed(Rush):
    """A store and EC, at one of two locations or at none yet; orders are placed, or let go."""

    async def _customer(self, client: httpx.AsyncClient) -> None:
        chance = self._chance
        while self._left > 0:
            self._left -= 1
            channel = chance.choice(("STORE", "EC"))
            where = chance.choice(("L1", "L2") if channel == "STORE" else ("L1", "L2", "", ""))
            lines = [{"sku": self._sku, "location_id": where, "quantity": chance.randint(1, 3)}]
            body = {"channel": channel, "lines": lines, "ttl_seconds": self._ttl}
            body |= {"mode": chance.choice(("all_or_nothing", "best_effort"))}
            status, said = await self._ask(client, "reserve", "", body)
            if status != 201:
                continue
            name = said["reservation_id"]
            self.seen.granted[name] = said
            drawn = chance.random()
            if drawn < 0.2:
                served_by = where or chance.choice(("L1", "L2"))
                order = {"order_id": str(uuid4()), "location_id": served_by}
                status, _ = await self._ask(client, "commit", f"/{name}/commit", order)
                if status == 200:
                    self.seen.committed.add(name)
            elif drawn < 0.3:
                status, _ = await self._ask(client, "release", f"/{name}/release", {})
                if status == 200:
                    self.seen.released.add(name)

    def _who(self, body: dict[str, Any]) -> str:
        # who resolves a reservation need not be who made it
        return "till" if body.get("channel") == "STORE" else "ec"


GRANTS = """
select coalesce(served_by, location_id), location_id, channel, quantity, created_at,
    case when state = 'released' then resolved_at end
from stock_hold where sku = %s
"""


def most_promised(grants: list[Any], which: Callable[[str, str], bool]) -> int:
    """The most units that were promised at any time; `which`: by location and channel."""
    steps = []
    for served, asked, channel, quantity, made, let_go in grants:
        if which(asked, channel) or which(served, channel):
            steps.append((made, 1, quantity))
            if let_go is not None:
                steps.append((let_go, 0, -quantity))
    most = now = 0
    for _, _, units in sorted(steps):
        now += units
        most = max(most, now)
    return most


@dataclass(frozen=True, slots=True)
class Fact:
    """One record that moves the item's stock at the location."""

    place: str
    offset: int
    on_hand: int
    committed: int
    reservation_id: UUID | None = None


HOLDS = """
select id, quantity, state, created_at, expires_at, resolved_at, order_id is not null
from stock_hold where sku = %s order by created_at
"""


def judge(holds: list[Any], facts: list[Fact], seen: Seen) -> list[str]:
    """What is wrong: a grant beyond what was free, or a hold resolved twice."""
    wrong = list(seen.contradictions)
    fact_of = {fact.reservation_id: fact for fact in facts if fact.reservation_id}
    rows = {str(row[0]): row for row in holds}
    for number, (hold_id, quantity, _, created, *_) in enumerate(holds):
        told = seen.granted.get(str(hold_id))
        if told is None:
            continue  # its client was never answered, and asked no more
        position = told["position"]
        applied = [fact for fact in facts if fact.offset < position.get(fact.place, 0)]
        free = sum(fact.on_hand - fact.committed for fact in applied)
        held = 0
        for other in holds[:number]:
            fact = fact_of.get(other[0])
            in_stock = fact is not None and fact.offset < position.get(fact.place, 0)
            over = other[5] is not None and other[5] <= created and not other[6]
            expired = not other[6] and other[4] <= created
            if not (in_stock or over or expired):
                held += other[1]
        if quantity > free - held:
            wrong.append(f"{hold_id}: {quantity} granted where {free} - {held} were free")
    both = seen.committed & seen.released
    wrong += [f"{name}: both committed and released" for name in both]
    for name in seen.committed:
        if not rows[name][6] or UUID(name) not in fact_of:
            wrong.append(f"{name}: committed, and no fact")
    facts_twice = len([f for f in facts if f.reservation_id]) - len(fact_of)
    if facts_twice:
        wrong.append(f"{facts_twice} facts for a hold that had one")
    for name, fact in ((str(key), value) for key, value in fact_of.items()):
        if not rows[name][6] or fact.committed != rows[name][1]:
            wrong.append(f"{name}: a fact, and not committed")
    return wrong
