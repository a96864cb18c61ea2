"""Liveness, readiness and metrics: the same routes in every process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.http.operation import AnswerModel, Operation, Reply
from services.runtime.db import Pool
from services.runtime.readiness import NotReady


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something that the process needs, such as a server.

    `probe` raises if it cannot be used, and may return details. `required`: whether the process is
    not ready without it.
    """

    name: str
    probe: Callable[[], Awaitable[dict[str, Any] | None]]
    required: bool = True


def answering(postgres: Pool, statement: str = "select 1") -> Callable[[], Awaitable[None]]:
    """A probe of Postgres; `statement` should read a table, to test that it exists."""

    async def probe() -> None:
        async with postgres.connection(timeout=1.5) as connection:
            await connection.execute(statement.encode())

    return probe


async def _state(dependency: Dependency, timeout: float) -> dict[str, Any]:
    started = time.perf_counter()
    task = asyncio.ensure_future(dependency.probe())
    # `wait`, not `wait_for`, which would wait for a client that ignores its cancellation.
    done, _ = await asyncio.wait({task}, timeout=timeout)
    state: dict[str, Any] = {"ready": False, "required": dependency.required}
    if not done:
        task.cancel()
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        return {**state, "reason": f"no answer within {timeout:g} s"}
    error = task.exception()
    if error is not None:
        # Other errors' texts may name hosts and users, so only their kind is shown.
        reason = str(error) if isinstance(error, NotReady) else type(error).__name__
        return {**state, "reason": reason}
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    return {**state, "ready": True, "milliseconds": milliseconds, **(task.result() or {})}


class Alive(AnswerModel):
    """The process is running."""

    status: Literal["alive"]


class DependencyState(BaseModel):
    """Whether a dependency can be used; details are further members."""

    model_config = ConfigDict(extra="allow")
    ready: bool
    required: bool
    reason: str | SkipJsonSchema[None] = None
    milliseconds: float | SkipJsonSchema[None] = None


class Readiness(AnswerModel):
    """Whether the process can answer requests: all required dependencies are ready."""

    status: Literal["ready", "not ready"]
    dependencies: dict[str, DependencyState]


def health_operations(dependencies: Sequence[Dependency], timeout: float = 2.0) -> list[Operation]:
    """The routes `/livez`, `/readyz` (503 if a required dependency is not ready) and `/metrics`.

    `timeout`: seconds for every probe.
    """

    async def livez(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        states = await asyncio.gather(*(_state(each, timeout) for each in dependencies))
        ready = all(state["ready"] or not state["required"] for state in states)
        named = {each.name: state for each, state in zip(dependencies, states, strict=True)}
        body = {"status": "ready" if ready else "not ready", "dependencies": named}
        return JSONResponse(body, 200 if ready else 503)

    async def numbers(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [
        Operation(
            method="GET", path="/livez", name="alive", summary="Is the process running?",
            tag="process", endpoint=livez, replies={200: Reply(Alive, "It is.")},
        ),
        Operation(
            method="GET", path="/readyz", name="readiness", summary="Can the process answer?",
            tag="process", endpoint=readyz,
            replies={
                200: Reply(Readiness, "It can."),
                503: Reply(Readiness, "It cannot: a required dependency is not ready."),
            },
        ),
        Operation(
            method="GET", path="/metrics", name="metrics", summary="Metrics for Prometheus",
            tag="process", endpoint=numbers,
            replies={200: Reply(str, "The metrics.", media="text/plain")},
        ),
    ]  # fmt: skip
