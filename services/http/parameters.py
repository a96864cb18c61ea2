"""Validates a request's path and query parameters against the operation's declaration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from services.http.postgres_limits import step, unstorable
from services.http.problem import Refuse
from services.http.problem_type import FieldError

_STORABLE = frozenset({type(None), bool, UUID, datetime})


def unprocessable(errors: Sequence[FieldError]) -> NoReturn:
    """Raises a refusal (422) that names every invalid field and the reason."""
    first = errors[0]
    detail = f"{first['pointer'].rpartition('/')[2]}: {first['reason']}"
    raise Refuse(422, "Unprocessable Entity", detail, errors=list(errors))


def sent_in_query(request: Request) -> list[tuple[str, str]]:
    """(name, value) of the query parameters, in the order in which they were sent."""
    return request.query_params.multi_items() if request.scope["query_string"] else []


def parameters_of(
    request: Request,
    model: type[BaseModel],
    sent: Sequence[tuple[str, str]],
    *,
    lists: Iterable[str] = (),
    apart: str = "",
) -> dict[str, Any]:
    """Path and query parameters, validated against the model.

    `sent`: the query parameters. `lists`: names that may be repeated. `apart`: the name of a query
    parameter to ignore. Raises a refusal (422).
    """
    raw: dict[str, Any] = {}
    path: dict[str, Any] = request.scope.get("path_params", raw)
    for name, value in sent:
        if name in lists and name not in path:
            raw.setdefault(name, []).append(value)
            continue
        if name in raw or name in path:
            unprocessable(
                [{"pointer": f"/query/{step(name)}", "reason": "is given more than once"}]
            )
        raw[name] = value
    raw.pop(apart, None)
    raw.update(path)
    try:
        checked = model.model_validate(raw)
    except ValidationError as error:
        unprocessable([field_error(one, path) for one in error.errors()])
    values = dict(checked.__dict__)  # models of parameters have no other fields
    for name, value in values.items():
        if type(value) not in _STORABLE and (type(value) is not str or "\0" in value):
            storable(f"{'path' if name in path else 'query'}/{name}", value)
    return values


def field_error(error: Any, path: Iterable[str] | None = None) -> FieldError:
    """Converts an error of pydantic, without the invalid value."""
    parts = [step(str(part)) for part in error["loc"]]
    where = "body" if path is None else "path" if parts and parts[0] in path else "query"
    unknown = error["type"] == "extra_forbidden"
    reason = "is not known here" if unknown else error["msg"]
    return {"pointer": "/" + "/".join([where, *parts]), "reason": reason}


def storable(where: str, value: Any) -> None:
    """Raises a refusal (422) if Postgres cannot store the value or a part of it."""
    for error in unstorable(f"/{where}", value):
        unprocessable([error])
