"""Assembles the application of an HTTP process: its own routes, and those of every process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.http.application import Application
from services.http.docs import page
from services.http.health import Dependency, health_operations
from services.http.openapi import document
from services.http.operation import Operation, Reply
from services.http.problem import problem_operations

POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class OpenapiDocument(BaseModel):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")
    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """A process's name in metrics, and the texts of its documentation.

    `example`: a first request to try. `notes` returns additions to schemas, by their names.
    """

    service: str
    title: str
    description: str
    example: str = ""
    notes: Callable[[], Mapping[str, Mapping[str, Any]]] = dict


def in_order(operations: Iterable[Operation]) -> list[Operation]:
    """Sorts routes, literal segments first, so that `counts` is not taken for an inquiry's id."""
    return sorted(
        operations, key=lambda each: [(part.startswith("{"), part) for part in each.path.split("/")]
    )


def every_operation(
    about: About, operations: Iterable[Operation], dependencies: Sequence[Dependency] = ()
) -> list[Operation]:
    """A process's own operations, and those that every process has: health, docs, problems."""
    listed = [*in_order(operations), *health_operations(dependencies), *problem_operations()]
    made: dict[str, bytes] = {}

    def described() -> dict[str, bytes]:
        if not made:
            found = document(about.title, about.description, listed)
            for name, notes in about.notes().items():
                found["components"]["schemas"][name].update(notes)
            made["openapi"] = json.dumps(found, ensure_ascii=False).encode()
            made["docs"] = page(found, about.example).encode()
        return made

    async def openapi(_request: Request) -> Response:
        return Response(described()["openapi"], media_type="application/json")

    async def docs(_request: Request) -> Response:
        return HTMLResponse(described()["docs"], headers=POLICY)

    async def home(_request: Request) -> Response:
        return RedirectResponse("/docs")

    def public(
        path: str, name: str, summary: str, endpoint: Any, status: int, reply: Reply
    ) -> None:
        listed.append(
            Operation(
                method="GET",
                path=path,
                name=name,
                summary=summary,
                tag="process",
                endpoint=endpoint,
                replies={status: reply},
            )
        )

    public("/openapi.json", "openapi", "This document", openapi, 200,
           Reply(OpenapiDocument, "OpenAPI 3.1."))  # fmt: skip
    public("/docs", "docs", "This document as a page", docs, 200,
           Reply(str, "An HTML page.", media="text/html"))  # fmt: skip
    public("/", "home", "Redirects to /docs", home, 307, Reply(None, "To /docs."))
    return listed


def web_process(
    about: About,
    operations: Iterable[Operation],
    dependencies: Sequence[Dependency],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
) -> Starlette:
    """The ASGI application of a process, with its own routes and those of every process."""
    return Application(about.service, every_operation(about, operations, dependencies), lifespan)
