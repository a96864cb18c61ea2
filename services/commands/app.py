"""Which addresses does the process answer, and what does it hold open while it runs?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from starlette.applications import Starlette

from projections import discover
from projections.shared_stock import projection as shared_stock
from services.commands import PROCESS
from services.deciding.decider import Decider, DecisionWork
from services.deciding.endpoint import Door
from services.deciding.outbox import OutboxRelay
from services.deciding.retention import Trimming
from services.http.bearer import tokens_needed
from services.http.health import Dependency, answering
from services.http.web_process import About, web_process
from services.invariants.catalogue import INVARIANTS
from services.invariants.watch import InvariantWatch
from services.points import needs
from services.points.background.tasks import background
from services.points.holds import offline_limit
from services.points.holds import routes as points
from services.points.holds.work import PointsWork
from services.points.returns import routes as returns
from services.points.returns.quote import ReturnsWork
from services.runtime.build_state import Builds, BuildWatch
from services.runtime.config import Settings
from services.runtime.db import Pool, pool
from services.runtime.producer import Producer
from services.runtime.tokens import Tokens
from services.stock import routes as stock
from services.stock.work import StockWork

LIVE = "main"  # the group of the live tables, whatever a test calls it
# by decider: the projections that it decides from
NEEDS = {
    "stock": frozenset({shared_stock.name}),
    "points": needs.HOLDS,
    "returns": needs.RETURNS,
}
ABOUT = About(
    PROCESS.name,
    "Hitotsu commands",
    "What may be refused is decided here, once for each Idempotency-Key.",
    """curl -sS "$COMMANDS/v1/points/holds" -H "Authorization: Bearer $TOKEN" \\
  -H "Idempotency-Key: $(uuidgen)" -H 'Content-Type: application/json' -d '{...}'""",
)


class Background(Protocol):
    """What goes on beside the answers."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def create(settings: Settings) -> Starlette:
    """The deciders as an ASGI application; it starts, and answers 503, without servers too."""
    postgres = pool(settings.postgres, group=settings.group, name="commands", timeout=2.0)
    producer = Producer(settings.kafka, client_id=settings.instance or "commands")
    relay = OutboxRelay(settings.postgres, producer)
    tokens, group = Tokens(postgres), settings.group
    declared = [one for one in discover() if one.group in (group, LIVE)]
    builds = Builds({one.name: one.version for one in declared})
    everything = frozenset(one.name for one in declared)
    works: dict[str, DecisionWork] = {
        "stock": StockWork(group),
        "points": PointsWork(group),
        "returns": ReturnsWork(group, settings.accrual == "rules"),
    }
    # nobody waits for these
    works_on: list[Background] = [
        BuildWatch(settings.postgres, group, builds),
        *background(settings, relay.kick, lambda: builds.ready(needs.RETURNS)),
        InvariantWatch(
            settings.postgres, group, INVARIANTS, ready=lambda: builds.ready(everything)
        ),
        Trimming(settings.postgres),
    ]
    deciders = {
        name: Decider(settings.postgres, name, work, relay.kick, group=group)
        for name, work in works.items()
    }
    doors = {name: Door(tokens, decider, builds, NEEDS[name]) for name, decider in deciders.items()}

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await postgres.open(wait=False)
        await producer.start()
        await relay.start()
        for each in (*deciders.values(), *works_on):
            await each.start()
        try:
            yield
        finally:
            for one in works_on:
                await one.stop()
            for decider in deciders.values():
                await decider.stop()
            await relay.stop()
            await producer.stop()
            await postgres.close(timeout=2.0)

    return web_process(
        ABOUT,
        [
            *stock.operations(doors["stock"], postgres, group),
            *points.operations(doors["points"], postgres),
            *returns.operations(doors["returns"]),
            *offline_limit.operations(doors["points"], postgres),
        ],
        [*_dependencies(postgres, producer), tokens_needed(tokens)],
        lifespan,
    )


def _dependencies(postgres: Pool, producer: Producer) -> list[Dependency]:
    # decisions go on without Kafka: facts wait in the outbox
    return [
        Dependency("postgres", answering(postgres, "select 1 from hitotsu.outbox limit 1")),
        Dependency("kafka", producer.check, required=False),
    ]
