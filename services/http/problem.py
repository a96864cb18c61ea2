"""Errors of every HTTP service as RFC 9457 problem details.

`type` is `/problems/<slug>` of the same service, a page that explains it.
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
    """The slug of a problem."""

    slug: str = Field(description="The last segment of a problem's `type`.")


class Refuse(Exception):
    """Aborts a request with a problem, from any depth of the call stack."""

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
    """The response for a failed request; `members`: the additional members of its type."""
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
    # ASCII only: a lone surrogate echoed from a body must not break the answer about it.
    return Response(json.dumps(body), status, sent, PROBLEM_JSON)


def problem_of(error: Exception, method: str) -> Response | None:
    """The answer to a request that ended with an expected failure; None for any other."""
    if isinstance(error, Refuse):
        return problem(error.status, error.title, error.detail, **error.more)
    if isinstance(error, HTTPException):
        title = HTTPStatus(error.status_code).phrase
        detail = f"{method} is not allowed here." if error.status_code == 405 else title + "."
        return problem(error.status_code, title, detail, headers=error.headers)
    return None


def unexpected(error: Exception) -> Response:
    """The answer to a request that nobody expected to fail so; the log gets kind and place.

    Neither gets the exception's text: it may quote the body.
    """
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("request_failed", error=type(error).__name__, where=f"{place.name}:{place.lineno}")
    return problem(500, "Internal Server Error", INTERNAL_SERVER_ERROR.meaning)


def problem_operations() -> list[Operation]:
    """The pages to which problem types point, one per declared type."""

    async def page(request: Request) -> Response:
        slug = request.path_params["slug"]
        if slug not in DECLARED:
            raise HTTPException(404)
        return PlainTextResponse(f"{slug}\n\n{DECLARED[slug].meaning}\n")

    return [
        Operation(
            method="GET", path="/problems/{slug}", name="problem", tag="process", endpoint=page,
            summary="What a type of problem means", parameters=Named,
            replies={200: Reply(str, "Its meaning.", media="text/plain")}, problems=(NOT_FOUND,),
        )
    ]  # fmt: skip
