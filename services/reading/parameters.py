"""What exactly was asked? Reads parameters and body of a request, or says which field is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from services.http.cursors import Cursors, Malformed
from services.http.problem import FieldError, Refuse
from services.http.storable import step, unstorable
from services.reading.operations import DEFAULT_LIMIT, Operation
from services.reading.read_your_writes import Wanted, wanted_from

MOST_BYTES = 262_144
BODY_SECONDS = 10.0
MIN_POSITION = "min_position"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, checked."""

    values: Mapping[str, Any]
    body: Any
    wanted: Wanted | None
    page: tuple[int, list[Any]]
    durable: bool
    given: Sequence[tuple[str, str]] = field(default=())


def unprocessable(errors: Sequence[FieldError]) -> NoReturn:
    """Ends the request with every field that is wrong, and why."""
    first = errors[0]
    detail = f"{first['pointer'].rpartition('/')[2]}: {first['reason']}"
    raise Refuse(422, "Unprocessable Entity", detail, errors=list(errors))


async def asked_of(request: Request, operation: Operation, cursors: Cursors) -> Asked:
    given = request.query_params.multi_items() if request.scope["query_string"] else []
    values = _parameters(request, operation, given)
    wanted = _wanted(request, given)
    page: tuple[int, list[Any]] = (DEFAULT_LIMIT, [])
    if operation.paged:
        page = (values["limit"], _after(operation, values["cursor"], cursors))
    body = None if operation.body is None else await _body(request, operation)
    durable = "no-cache" in header(request, b"cache-control").lower()
    return Asked(values, body, wanted, page, durable, given)


def _parameters(
    request: Request, operation: Operation, given: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    raw: dict[str, Any] = {}
    for name, value in given:
        if name in raw or name in request.path_params:
            unprocessable(
                [{"pointer": f"/query/{step(name)}", "reason": "is given more than once"}]
            )
        raw[name] = value
    raw.pop(MIN_POSITION, None)
    raw.update(request.path_params)
    try:
        model = operation.parameters.model_validate(raw)
    except ValidationError as error:
        unprocessable([_error(one, request.path_params) for one in error.errors()])
    values = dict(model)
    for name, value in values.items():
        if value is not None and (type(value) is not str or "\0" in value):
            _storable(f"{'path' if name in request.path_params else 'query'}/{name}", value)
    return values


def header(request: Request, name: bytes) -> str:
    """A header's value, "" where it is not sent; the framework's own search costs more."""
    for key, value in request.scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


def _wanted(request: Request, given: Sequence[tuple[str, str]]) -> Wanted | None:
    text, where = dict(given).get(MIN_POSITION), "/query/min_position"
    if text is None:
        sent = any(key == b"min-position" for key, _ in request.scope["headers"])
        text, where = header(request, b"min-position") if sent else None, "/header/Min-Position"
    if text is None:
        return None
    try:
        return replace(wanted_from(text), pointer=where)
    except ValueError as error:
        unprocessable([{"pointer": where, "reason": str(error)}])


def _after(operation: Operation, cursor: str | None, cursors: Cursors) -> list[Any]:
    if cursor is None:
        return []
    try:
        return cursors.read(operation.path, cursor)
    except Malformed:
        unprocessable([{"pointer": "/query/cursor", "reason": "is no cursor of this route"}])


async def _body(request: Request, operation: Operation) -> Any:
    assert operation.body is not None
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refuse(415, "Unsupported Media Type", "Send application/json.")
    raw = await _bytes(request)
    try:
        body = operation.body.validate_json(raw)
    except ValidationError as error:
        errors = error.errors()
        if errors[0]["type"] == "json_invalid":
            raise Refuse(400, "Bad Request", "The body is no JSON.") from None
        unprocessable([_error(one) for one in errors])
    _storable("body", body.model_dump() if isinstance(body, BaseModel) else body)
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


def _error(error: Any, path: Iterable[str] | None = None) -> FieldError:
    """What pydantic says, without the value that it was said of."""
    parts = [step(str(part)) for part in error["loc"]]
    where = "body" if path is None else "path" if parts and parts[0] in path else "query"
    unknown = error["type"] == "extra_forbidden"
    reason = "is not known here" if unknown else error["msg"]
    return {"pointer": "/" + "/".join([where, *parts]), "reason": reason}


def _storable(where: str, value: Any) -> None:
    """Refuses what Postgres cannot hold, wherever it stands."""
    for error in unstorable(f"/{where}", value):
        unprocessable([error])
