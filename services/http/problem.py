"""How does every HTTP service say that something went wrong? As RFC 9457 problem details.

`type` points at `/problems/<slug>` of the same service, a page of one sentence.
"""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.logging import log


class FieldError(TypedDict):
    """One thing wrong with one place of the body."""

    pointer: str
    reason: str


class Refuse(Exception):
    """Ends a request with a problem, from however deep inside it."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.more = status, title, detail, more


PROBLEMS: dict[str, str] = {
    "bad-request": "The request could not be read; `detail` says where reading stopped.",
    "unauthorized": "The request needs `Authorization: Bearer <token>` with a known token.",
    "forbidden": "The token is known, but its scopes do not allow this.",
    "not-found": "There is nothing at this address.",
    "method-not-allowed": "The address is right, the method is not; see the `Allow` header.",
    "request-timeout": "The head or the body did not arrive in time.",
    "conflict": "What is asked for contradicts what is there.",
    "out-of-stock": "Fewer units than asked for may be promised; see `lines`.",
    "insufficient-points": "The member has fewer points to spend; see `available`.",
    "expired": "The hold's time was over before it was resolved.",
    "resolved": "The hold was resolved or ended before; each is resolved once.",
    "unplaced": "The hold has lines without a location; say which serves them.",
    "in-flight": "The same command is being decided; send it again after `Retry-After` seconds.",
    "request-entity-too-large": "The body holds more than one request may.",
    "request-head-too-large": "The request line and headers hold more than 65,536 bytes.",
    "unsupported-media-type": "The body's content type is not one this address reads.",
    "unprocessable-entity": "The request was read, but nothing in it can be used; see `errors`.",
    "too-many-requests": "More than may be sent now. Send it again after `Retry-After` seconds.",
    "internal-server-error": "The fault is on our side and has been logged.",
    "service-unavailable": "A server behind it is away. Send again after `Retry-After` seconds.",
    "building": "A projection that it needs is folded from the log; see `read` and `total`.",
    "gateway-timeout": "The answer was not ready within the time allowed.",
}
_SLUGS = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    409: "conflict",
    413: "request-entity-too-large",
    415: "unsupported-media-type",
    422: "unprocessable-entity",
    429: "too-many-requests",
    500: "internal-server-error",
    503: "service-unavailable",
    504: "gateway-timeout",
}


def problem(
    status: int,
    title: str,
    detail: str,
    type: str | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    retry_after: float | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """The answer to a request that failed; `members`: what its type says beside the usual."""
    body: dict[str, Any] = {
        "type": type or f"/problems/{_SLUGS.get(status, 'bad-request')}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    body |= members or {}
    if errors:
        body["errors"] = list(errors)
    sent = dict(headers or {})
    if retry_after is not None:
        sent["Retry-After"] = str(max(1, math.ceil(retry_after)))
    # ASCII only: a lone surrogate echoed from a body must not break the answer about it.
    return Response(json.dumps(body), status, sent, "application/problem+json")


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refuse)
    return problem(error.status, error.title, error.detail, **error.more)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = f"{request.method} is not allowed here." if error.status_code == 405 else title + "."
    return problem(error.status_code, title, detail, headers=error.headers)


def problem_handlers() -> dict[Any, Callable[[Request, Exception], Response]]:
    """Exception handlers that make every expected failure a problem; `Guarded` does the rest."""
    return {Refuse: _refused, HTTPException: _http}


class Guarded:
    """The last net: what nobody expected becomes a problem and a log line, never a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http":
                raise
            # The exception's text may quote the body, so only its kind and place are logged.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.name}:{place.lineno}"
            log.error("request failed", error=type(error).__name__, where=where)
            if not started:
                answer = problem(500, "Internal Server Error", PROBLEMS["internal-server-error"])
                await answer(scope, receive, send)


def problem_routes() -> list[Route]:
    """The pages that the `type` of a problem points at."""

    async def page(request: Request) -> Response:
        slug = request.path_params["slug"]
        if slug not in PROBLEMS:
            raise HTTPException(404)
        return PlainTextResponse(f"{slug}\n\n{PROBLEMS[slug]}\n")

    handler: Callable[[Request], Awaitable[Response]] = page
    return [Route("/problems/{slug}", handler, methods=["GET"], include_in_schema=False)]
