"""What does the read API's HTTP contract look like to a tool? An OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from services.http.caller import PURPOSES
from services.reading.operations import Operation
from services.reading.parameters import MOST_BYTES
from services.reading.read_your_writes import WAIT_SECONDS

PROBLEM = "application/problem+json"
REF = "#/components/schemas/{model}"
_AGAIN = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}
_REFUSALS: dict[str, str] = {
    "401": "No token, or one that is not known.",
    "403": "The token lacks the scope.",
    "404": "There is nothing of that name.",
    "422": "A parameter cannot be used; `errors` names each with its reason.",
    "503": "The answer is not in Redis and Postgres is away; ask again.",
    "504": f"What `min_position` names was not applied within {WAIT_SECONDS:g} s.",
}
_BODY_REFUSALS = {
    "400": "The body is no JSON.",
    "408": "The body did not arrive in time.",
    "413": f"The body is longer than {MOST_BYTES} bytes.",
    "415": "The body is not application/json.",
}
_MIN_POSITION = (
    "Wait until this is applied: a map like an answer's `position`, or `event:<uuid>`."
    " The header Min-Position means the same."
)
_PURPOSE = "What personal values are for; without it, or members:personal, they are null."
_NO_CACHE = "`no-cache` reads Postgres, whatever Redis holds."


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document, made from the signatures that check what comes in."""
    listed = list(operations)
    schemas, shared = _schemas(listed)
    paths: dict[str, Any] = {}
    for each in listed:
        described = _described(each, schemas)
        paths.setdefault(each.path, {})[each.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hitotsu read API",
            "version": "1",
            "description": "One member, one balance, one stock. Answers say how far they read.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**shared, **_envelope_parts()},
        },
    }


def _schemas(operations: list[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    inputs: list[tuple[tuple[str, str], JsonSchemaMode, TypeAdapter[Any]]] = []
    for each in operations:
        inputs.append(((each.method, each.path), "serialization", each.result))
        if each.body is not None:
            inputs.append(((each.method, each.path), "validation", each.body))
    schemas, defs = TypeAdapter.json_schemas(inputs, ref_template=REF)
    return schemas, defs.get("$defs", {})


def _described(each: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    key = (each.method, each.path)
    envelope = _envelope(schemas[key, "serialization"], paged=each.paged)
    described: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary.partition("\n")[0],
        "description": f"Needs the scope `{each.scope}`.",
        "tags": [each.tag],
        "security": [{"token": []}],
        "parameters": [*_parameters(each), *_headers(each)],
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _link() if each.paged else {},
                "content": {"application/json": {"schema": envelope}},
            },
            **{status: _refusal(status, text) for status, text in _REFUSALS.items()},
        },
    }
    if each.body is not None:
        content = {"application/json": {"schema": schemas[key, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
        described["responses"].update({s: _refusal(s, text) for s, text in _BODY_REFUSALS.items()})
    return described


def _parameters(each: Operation) -> list[dict[str, Any]]:
    schema = each.parameters.model_json_schema(ref_template=REF)
    required = schema.get("required", ())
    found = []
    for name, described in schema["properties"].items():
        described.pop("title", None)
        in_path = f"{{{name}}}" in each.path
        found.append(
            {
                "name": name,
                "in": "path" if in_path else "query",
                "required": in_path or name in required,
                "description": described.pop("description", ""),
                "schema": described,
            }
        )
    return found


def _headers(each: Operation) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found: list[dict[str, Any]] = [
        {"name": "min_position", "in": "query", "description": _MIN_POSITION, "schema": text},
        {"name": "Cache-Control", "in": "header", "description": _NO_CACHE, "schema": text},
    ]
    if each.scope.startswith(("members", "inquiries")):
        purposes = {"type": "string", "enum": list(PURPOSES)}
        found.append(
            {"name": "Purpose", "in": "header", "description": _PURPOSE, "schema": purposes}
        )
    return found


def _link() -> dict[str, Any]:
    return {"Link": {"description": "The next page, rel=next.", "schema": {"type": "string"}}}


def _refusal(status: str, description: str) -> dict[str, Any]:
    schema = {"$ref": REF.format(model="Problem")}
    made: dict[str, Any] = {"description": description, "content": {PROBLEM: {"schema": schema}}}
    return {**made, "headers": _AGAIN} if status == "503" else made


def _envelope(data: dict[str, Any], *, paged: bool) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "data": data,
        "position": {"$ref": REF.format(model="Position")},
        "lag": {"$ref": REF.format(model="Lag")},
        "served_from": {"enum": ["redis", "postgres"]},
    }
    if paged:
        parts["next_cursor"] = {"type": ["string", "null"], "description": "Null on the last page."}
    return {
        "type": "object",
        "required": list(parts),
        "properties": parts,
        "additionalProperties": False,
    }


def _envelope_parts() -> dict[str, Any]:
    text = {"type": "string"}
    error = {
        "type": "object",
        "required": ["pointer", "reason"],
        "properties": {"pointer": text, "reason": text},
    }
    problem = {"type": text, "title": text, "status": {"type": "integer"}, "detail": text}
    return {
        "Position": {
            "type": "object",
            "description": "Topic-partition -> next offset of what the answer was made from.",
            "additionalProperties": {"type": "integer", "minimum": 0},
        },
        "Lag": {
            "type": "object",
            "description": "Records that the answer does not hold yet; null if unknown.",
            "required": ["events"],
            "properties": {"events": {"type": ["integer", "null"], "minimum": 0}, "reason": text},
        },
        "Problem": {
            "type": "object",
            "required": list(problem),
            "properties": {**problem, "errors": {"type": "array", "items": error}},
        },
    }
