"""Which addresses does the gateway answer, and what does it hold open while it runs?"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from schemas.personal.buffer import public_key_of
from services.http.bearer import tokens_needed
from services.http.health import Dependency, Measured, health_routes
from services.http.problem import Guarded, problem_handlers, problem_routes
from services.intake.admission import Rates
from services.intake.docs import page
from services.intake.ingest import Ingest
from services.intake.openapi import document
from services.intake.records import Intake
from services.points.program.accrual_source import Program, unreadable
from services.runtime.config import Settings
from services.runtime.db import Pool, pool
from services.runtime.keys import SubjectKeys
from services.runtime.producer import Producer
from services.runtime.tokens import Tokens


def create(settings: Settings, rates: Rates | None = None) -> Starlette:
    """The gateway as an ASGI application; it starts, and answers 503, without servers too."""
    postgres = pool(settings.postgres, group=settings.group, name="gateway", timeout=2.0)
    producer = Producer(settings.kafka, client_id=settings.instance or "gateway")
    tokens = Tokens(postgres)
    ingest = Ingest(
        tokens=tokens,
        rates=rates or Rates(),
        intake=Intake(
            SubjectKeys(postgres, settings.key_encryption_key),
            settings.blind_index_key,
            Program(postgres, settings.accrual),
            unreadable,
        ),
        producer=producer,
        private_key=settings.gateway_private_key,
    )

    async def events(request: Request) -> Response:
        return await ingest(request)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await postgres.open(wait=False)
        await producer.start()
        try:
            yield
        finally:
            await producer.stop()
            await postgres.close(timeout=2.0)

    return Starlette(
        routes=[
            Route("/v1/events", events, methods=["POST"]),
            *_documents(public_key_of(settings.gateway_private_key)),
            *health_routes([*_dependencies(postgres, producer), tokens_needed(tokens)]),
            *problem_routes(),
        ],
        exception_handlers=problem_handlers(),
        middleware=[Middleware(Measured, service="gateway"), Middleware(Guarded)],
        lifespan=lifespan,
    )


def _dependencies(postgres: Pool, producer: Producer) -> list[Dependency]:
    async def answers() -> None:
        async with postgres.connection(timeout=1.5) as connection:
            await connection.execute("SELECT 1")

    # Events without personal fields go in without Postgres once tokens are known, so that it does
    # not take us out of service.
    return [Dependency("kafka", producer.check), Dependency("postgres", answers, required=False)]


def _documents(public_key: bytes) -> list[Route]:
    key = {"algorithm": "x25519-sealedbox", "public_key": base64.b64encode(public_key).decode()}
    made: dict[str, Any] = {}

    async def sealing_key(_request: Request) -> Response:
        return JSONResponse(key, headers={"Cache-Control": "public, max-age=300"})

    async def openapi(_request: Request) -> Response:
        if not made:
            made.update(document())
        return JSONResponse(made)

    async def docs(_request: Request) -> Response:
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return HTMLResponse(page(), headers={"Content-Security-Policy": policy})

    async def home(_request: Request) -> Response:
        return RedirectResponse("/docs")

    return [
        Route("/v1/sealing-key", sealing_key),
        Route("/openapi.json", openapi),
        Route("/docs", docs),
        Route("/", home),
    ]
