"""Parses parameters and body of a read request; errors name the wrong field."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from projections.core import Page
from services.http.cursors import Cursors, Malformed
from services.http.headers import header
from services.http.operation import JSON
from services.http.parameters import (
    field_error,
    parameters_of,
    sent_in_query,
    storable,
    unprocessable,
)
from services.http.problem import Refuse
from services.reading.operations import ReadOperation
from services.reading.read_your_writes import WantedPosition, wanted_from

MOST_BYTES = 262_144
BODY_SECONDS = 10.0
MIN_POSITION = "min_position"


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A validated request.

    `values`: path and query parameters. `wanted`: position to wait for, or None. `durable`: read
    Postgres only. `given`: the query parameters as sent.
    """

    values: Mapping[str, Any]
    body: Any
    wanted: WantedPosition | None
    page: Page | None
    durable: bool
    given: Sequence[tuple[str, str]] = field(default=())


async def asked_of(request: Request, operation: ReadOperation, cursors: Cursors) -> ParsedRequest:
    """Parses the request; refuses it (422, 413, 415, 400, 408) if it is invalid."""
    given = sent_in_query(request)
    values = parameters_of(request, operation.parameters, given, apart=MIN_POSITION)
    wanted = _wanted(request, given)
    page = None
    if operation.page is not None:
        page = Page(values["limit"], _after(operation, values["cursor"], cursors))
    body = None if operation.body is None else await _body(request, operation)
    durable = "no-cache" in (header(request, b"cache-control") or "").lower()
    return ParsedRequest(values, body, wanted, page, durable, given)


def _wanted(request: Request, given: Sequence[tuple[str, str]]) -> WantedPosition | None:
    text = dict(given).get(MIN_POSITION) if given else None
    where = "/query/min_position"
    if text is None:
        text, where = header(request, b"min-position"), "/header/Min-Position"
    if text is None:
        return None
    try:
        return replace(wanted_from(text), pointer=where)
    except ValueError as error:
        unprocessable([{"pointer": where, "reason": str(error)}])


def _after(operation: ReadOperation, cursor: str | None, cursors: Cursors) -> list[Any]:
    if cursor is None:
        return []
    try:
        return cursors.read(operation.path, cursor)
    except Malformed:
        unprocessable([{"pointer": "/query/cursor", "reason": "is not a cursor of this route"}])


async def _body(request: Request, operation: ReadOperation) -> Any:
    assert operation.body is not None
    kind = header(request, b"content-type")
    kind = JSON if kind is None else kind.partition(";")[0].strip().lower()
    if kind != JSON:
        raise Refuse(415, "Unsupported Media Type", "The body must be application/json.")
    raw = await _bytes(request)
    try:
        body = operation.body.validate_json(raw)
    except ValidationError as error:
        errors = error.errors()
        if errors[0]["type"] == "json_invalid":
            raise Refuse(400, "Bad Request", "The body is not valid JSON.") from None
        unprocessable([field_error(one) for one in errors])
    storable("body", body.model_dump() if isinstance(body, BaseModel) else body)
    return body


async def _bytes(request: Request) -> bytes:
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                read += chunk
                if len(read) > MOST_BYTES:
                    detail = f"The body is longer than {MOST_BYTES} bytes."
                    raise Refuse(413, "Content Too Large", detail)
    except (TimeoutError, ClientDisconnect):
        raise Refuse(408, "Request Timeout", "The body did not arrive in time.") from None
    return bytes(read)
