"""Creates the ASGI application of the gateway: its routes and clients."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from schemas.personal.buffer import public_key_of
from services.gateway import PROCESS
from services.http.bearer import tokens_needed
from services.http.health import Dependency, answering
from services.http.operation import Operation, Reply
from services.http.problem_type import TOO_MANY_REQUESTS
from services.http.web_process import About, web_process
from services.intake.admission import Rates
from services.intake.answers import (
    TRACEPARENT,
    EventResults,
    SealingKey,
    event_notes,
    events_body,
)
from services.intake.clocks import EVENT_AGES, SENT_AT
from services.intake.ingest import Ingest
from services.intake.records import Intake
from services.points.program.accrual_source import ProgramVersions, unreadable
from services.points.program.programs import Programs
from services.runtime.config import Settings
from services.runtime.db import Pool, pool
from services.runtime.keys import SubjectKeys
from services.runtime.producer import Producer
from services.runtime.tokens import Tokens

ABOUT = About(
    PROCESS.name,
    "Hitotsu gateway",
    "Takes events as JSON: a single event, an array, or NDJSON with one event per line. The answer"
    " has a result per event, in the order sent, after Kafka has acknowledged them. Sending an"
    " event again is safe.",
    """curl -sS "$GATEWAY/v1/events" -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' -d '[...]'""",
    event_notes,
)


def create(settings: Settings, rates: Rates | None = None) -> Starlette:
    """The ASGI application; it starts even while Kafka and Postgres are away.

    Until they answer, requests with events get 503.
    """
    postgres = pool(settings.postgres, group=settings.group, name="gateway", timeout=2.0)
    producer = Producer(settings.kafka, client_id=settings.instance or "gateway")
    tokens = Tokens(postgres)
    ingest = Ingest(
        tokens=tokens,
        rates=rates or Rates(),
        intake=Intake(
            SubjectKeys(postgres, settings.key_encryption_key),
            settings.blind_index_key,
            ProgramVersions(postgres, settings.accrual, Programs(settings.default_program)),
            unreadable,
        ),
        producer=producer,
        private_key=settings.gateway_private_key,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await postgres.open(wait=False)
        await producer.start()
        try:
            yield
        finally:
            await producer.stop()
            await postgres.close(timeout=2.0)

    return web_process(
        ABOUT,
        [_events(ingest), _sealing_key(public_key_of(settings.gateway_private_key))],
        [*_dependencies(postgres, producer), tokens_needed(tokens)],
        lifespan,
    )


def _dependencies(postgres: Pool, producer: Producer) -> list[Dependency]:
    # Once tokens are cached, events without personal fields need no Postgres: so the gateway stays
    # ready while Postgres is away.
    return [
        Dependency("kafka", producer.check),
        Dependency("postgres", answering(postgres), required=False),
    ]


def _events(ingest: Ingest) -> Operation:
    async def events(request: Request) -> Response:
        return await ingest(request)

    return Operation(
        method="POST", path="/v1/events", name="appendEvents", summary="Append events",
        description="An event with an `event_id` sent before is accepted again, but applied once.",
        tag="events", scope="events:write", endpoint=events,
        headers=(TRACEPARENT, SENT_AT, EVENT_AGES),
        body=events_body(),
        replies={
            202: Reply(EventResults, "At least one event was accepted and is in the log."),
            422: Reply(EventResults, "No event was accepted."),
        },
        problems=(TOO_MANY_REQUESTS,),
    )  # fmt: skip


def _sealing_key(public_key: bytes) -> Operation:
    key = {"algorithm": "x25519-sealedbox", "public_key": base64.b64encode(public_key).decode()}

    async def sealing_key(_request: Request) -> Response:
        return JSONResponse(key, headers={"Cache-Control": "public, max-age=300"})

    return Operation(
        method="GET", path="/v1/sealing-key", name="sealingKey", tag="events",
        summary="The public key with which a till encrypts its offline buffer",
        endpoint=sealing_key, replies={200: Reply(SealingKey, "The gateway's public key.")},
    )  # fmt: skip
