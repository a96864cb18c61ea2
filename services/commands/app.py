"""Creates the ASGI application of the commands process: its routes, tasks and clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from starlette.applications import Starlette

from projections import of_group
from services.commands import PROCESS
from services.deciding.catalogue import deciders
from services.deciding.decider import Decider
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
from services.runtime.build_state import Builds, BuildWatch
from services.runtime.config import Settings
from services.runtime.db import Pool, pool
from services.runtime.producer import Producer
from services.runtime.tokens import Tokens

ABOUT = About(
    PROCESS.name,
    "Hitotsu commands",
    "Commands that may be denied. A command is decided once for each Idempotency-Key.",
    """curl -sS "$COMMANDS/v1/points/holds" -H "Authorization: Bearer $TOKEN" \\
  -H "Idempotency-Key: $(uuidgen)" -H 'Content-Type: application/json' -d '{...}'""",
)


class Background(Protocol):
    """A task that runs beside the HTTP server."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def create(settings: Settings) -> Starlette:
    """The ASGI application; it starts even while Postgres is away, and then answers 503."""
    postgres = pool(settings.postgres, group=settings.group, name="commands", timeout=2.0)
    producer = Producer(settings.kafka, client_id=settings.instance or "commands")
    relay = OutboxRelay(settings.postgres, producer)
    tokens, group = Tokens(postgres), settings.group
    declared = of_group(group, live=group)
    builds = Builds({one.name: one.version for one in declared})
    everything = frozenset(one.name for one in declared)
    # no request waits for these
    works_on: list[Background] = [
        BuildWatch(settings.postgres, group, builds),
        *background(settings, relay.kick, lambda: builds.ready(needs.RETURNS)),
        InvariantWatch(
            settings.postgres, group, INVARIANTS, ready=lambda: builds.ready(everything)
        ),
        Trimming(settings.postgres),
    ]
    decided = {
        each: Decider(settings.postgres, each.name, each.work(settings), relay.kick, group=group)
        for each in deciders()
    }
    operations = [
        operation
        for each, decider in decided.items()
        for operation in each.operations(
            Door(tokens, decider, builds, each.needs), postgres, settings
        )
    ]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await postgres.open(wait=False)
        await producer.start()
        await relay.start()
        for each in (*decided.values(), *works_on):
            await each.start()
        try:
            yield
        finally:
            for one in works_on:
                await one.stop()
            for decider in decided.values():
                await decider.stop()
            await relay.stop()
            await producer.stop()
            await postgres.close(timeout=2.0)

    return web_process(
        ABOUT,
        operations,
        [*_dependencies(postgres, producer), tokens_needed(tokens)],
        lifespan,
    )


def _dependencies(postgres: Pool, producer: Producer) -> list[Dependency]:
    # commands are decided without Kafka too: their events wait in the outbox
    return [
        Dependency("postgres", answering(postgres, "select 1 from hitotsu.outbox limit 1")),
        Dependency("kafka", producer.check, required=False),
    ]
