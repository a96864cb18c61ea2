"""The declaration of a route: its request, its answers, and its endpoint.

Routing, validation of parameters, the OpenAPI document and the page at `/docs` use it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.http.problem_type import (
    BAD_REQUEST,
    CONTENT_TOO_LARGE,
    FORBIDDEN,
    HEAD_TOO_LARGE,
    REQUEST_TIMEOUT,
    SERVICE_UNAVAILABLE,
    UNAUTHORIZED,
    UNPROCESSABLE,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemType,
)
from services.runtime.tokens import SCOPES

JSON = "application/json"
Endpoint = Callable[[Request], Awaitable[Response]]


class AnswerModel(BaseModel):
    """Base class of answer bodies, which have only the declared members."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Header:
    """A request or response header; `schema` is JSON Schema."""

    name: str
    description: str
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer; `model`: type of the body, None if it is empty.

    `links`: by name of an operation to continue with, the member of the body that is its `id`.
    """

    model: Any
    description: str
    media: str = JSON
    headers: tuple[Header, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Body:
    """A request body; `models`: media type to type of the body."""

    models: Mapping[str, Any]
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route of a process.

    `name` is the operationId; `scope` None: no token is needed. `parameters`: a model whose fields
    are path and query parameters. `idempotency`: the header of the idempotency key, if it has one.
    """

    method: str
    path: str
    name: str
    summary: str
    tag: str
    endpoint: Endpoint
    replies: Mapping[int, Reply]
    scope: str | None = None
    description: str = ""
    parameters: type[BaseModel] | None = None
    headers: tuple[Header, ...] = ()
    body: Body | None = None
    problems: tuple[ProblemType, ...] = ()
    idempotency: Header | None = None

    def __post_init__(self) -> None:
        if self.scope is not None and self.scope not in SCOPES:
            raise ValueError(
                f"{self.name} needs the scope {self.scope}, which is not in"
                " services.runtime.tokens.SCOPES"
            )

    def route(self) -> Route:
        """The Starlette route of this operation."""
        return Route(self.path, self.endpoint, methods=[self.method], name=self.name)

    def every_problem(self) -> list[ProblemType]:
        """The problems it may answer with: its own, and those of every route, scope or body.

        Without those whose status is among `replies`.
        """
        implied = [BAD_REQUEST, REQUEST_TIMEOUT, HEAD_TOO_LARGE]
        if self.scope is not None:
            implied += [UNAUTHORIZED, FORBIDDEN, SERVICE_UNAVAILABLE]
        if self.body is not None:
            implied += [CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, UNPROCESSABLE]
        every = dict.fromkeys((*implied, *self.problems))
        return [problem for problem in every if problem.status not in self.replies]


def json_body(model: type[BaseModel], *examples: Any) -> Body:
    """A request body that must be JSON."""
    return Body({JSON: model}, examples)
