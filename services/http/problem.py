"""Makes error responses of all HTTP processes: problem details (RFC 9457).

Their `type` is `/problems/<slug>`, the path of a page of the same process that explains it.
"""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from services.http.operation import Operation, Reply
from services.http.problem_type import (
    BAD_REQUEST,
    BY_STATUS,
    DECLARED,
    INTERNAL_SERVER_ERROR,
    NOT_FOUND,
    PROBLEM_JSON,
    FieldError,
    ProblemType,
)
from services.runtime.logging import log


class Named(BaseModel):
    """The path parameter of a problem page."""

    slug: str = Field(description="The last segment of a problem's `type`.")


class Refuse(Exception):
    """Ends the request with this problem as its answer; can be raised anywhere in an endpoint."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.more = status, title, detail, more

    @classmethod
    def of(cls, problem: ProblemType, detail: str, **more: Any) -> Refuse:
        """A refusal with a declared problem type."""
        return cls(problem.status, problem.title, detail, type=problem.uri, **more)


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
    """The error response.

    `type` None: the type of the status, `bad-request` if that has none. `members`: further members
    of the type.
    """
    body: dict[str, Any] = {
        "type": type or BY_STATUS.get(status, BAD_REQUEST).uri,
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
    # ASCII only: a lone surrogate quoted from a body cannot be encoded in UTF-8.
    return Response(json.dumps(body), status, sent, PROBLEM_JSON)


def problem_of(error: Exception, method: str) -> Response | None:
    """The response for a refusal or an HTTPException; None for any other error."""
    if isinstance(error, Refuse):
        return problem(error.status, error.title, error.detail, **error.more)
    if isinstance(error, HTTPException):
        title = HTTPStatus(error.status_code).phrase
        detail = f"{method} is not allowed here." if error.status_code == 405 else title + "."
        return problem(error.status_code, title, detail, headers=error.headers)
    return None


def unexpected(error: Exception) -> Response:
    """The 500 response for an unexpected error; logs the error's class and place.

    Neither response nor log has the error's text, which may quote the body.
    """
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("request_failed", error=type(error).__name__, where=f"{place.name}:{place.lineno}")
    return problem(500, "Internal Server Error", INTERNAL_SERVER_ERROR.meaning)


def problem_operations() -> list[Operation]:
    """The route of the pages to which problem types point."""

    async def page(request: Request) -> Response:
        slug = request.path_params["slug"]
        if slug not in DECLARED:
            raise HTTPException(404)
        return PlainTextResponse(f"{slug}\n\n{DECLARED[slug].meaning}\n")

    return [
        Operation(
            method="GET", path="/problems/{slug}", name="problem", tag="process", endpoint=page,
            summary="Explains a type of problem", parameters=Named,
            replies={200: Reply(str, "Its meaning.", media="text/plain")}, problems=(NOT_FOUND,),
        )
    ]  # fmt: skip
