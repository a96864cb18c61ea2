"""Generates a process's OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from pydantic.json_schema import JsonSchemaMode

from services.http.example import example_of
from services.http.operation import Header, Operation, Reply
from services.http.problem_type import PROBLEM_JSON, FieldError, ProblemType, may_be_absent

REF = "#/components/schemas/{model}"
_AGAIN = Header("Retry-After", "Seconds to wait.", schema={"type": "integer", "minimum": 1})
_RETRIED = (409, 429, 503, 504)
Key = tuple[str, str, str]


def problem_model(problem: ProblemType) -> type[BaseModel]:
    """The pydantic model of the body of a problem of this type."""
    name = "".join(word.capitalize() for word in problem.slug.split("-")) + "Problem"
    fields: dict[str, Any] = {
        "type": (Literal[problem.uri], ...),
        "title": (str, ...),
        "status": (Literal[problem.status], ...),
        "detail": (str, ...),
        **{
            name: kind if isinstance(kind, tuple) else (kind, ...)
            for name, kind in problem.members.items()
        },
        "errors": may_be_absent(list[FieldError]),
    }
    return create_model(
        name, __doc__=problem.meaning, __config__=ConfigDict(extra="forbid"), **fields
    )


def document(title: str, description: str, operations: Iterable[Operation]) -> dict[str, Any]:
    """The OpenAPI document of these operations."""
    listed = list(operations)
    schemas, shared = _schemas(listed)
    paths: dict[str, Any] = {}
    for each in listed:
        paths.setdefault(each.path, {})[each.method.lower()] = _described(each, schemas, shared)
    made = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1", "description": description},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": shared,
        },
    }
    _drop_absent(made)
    return made


def _schemas(operations: list[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    inputs: list[tuple[Key, JsonSchemaMode, TypeAdapter[Any]]] = []
    problems = {problem: None for each in operations for problem in each.every_problem()}
    for problem in problems:
        inputs.append((("problem", problem.slug, ""), "serialization",
                       TypeAdapter(problem_model(problem))))  # fmt: skip
    for each in operations:
        for status, reply in each.replies.items():
            if reply.model is not None:
                key = (each.method, each.path, str(status))
                inputs.append((key, "serialization", TypeAdapter(reply.model)))
        for media, model in each.body.models.items() if each.body else ():
            inputs.append(((each.method, each.path, media), "validation", TypeAdapter(model)))
    schemas, defs = TypeAdapter.json_schemas(inputs, ref_template=REF)
    return schemas, defs.get("$defs", {})


def _drop_absent(schema: Any) -> None:
    """Removes `default: null` from the schemas of members that can be absent but not null."""
    if isinstance(schema, dict):
        kinds = (schema.get("type"), *(one.get("type") for one in schema.get("anyOf", ())))
        if "default" in schema and schema["default"] is None and "null" not in kinds:
            del schema["default"]
        for value in schema.values():
            _drop_absent(value)
    elif isinstance(schema, list):
        for value in schema:
            _drop_absent(value)


def _described(
    each: Operation, schemas: Mapping[Any, Any], shared: Mapping[str, Any]
) -> dict[str, Any]:
    needs = f"Needs the scope `{each.scope}`." if each.scope else "Needs no token."
    sent = [*each.headers, *([each.idempotency] if each.idempotency else [])]
    described: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "description": f"{each.description} {needs}".strip(),
        "tags": [each.tag],
        "security": [{"token": []}] if each.scope else [],
        "parameters": [*_parameters(each), *(_sent(header) for header in sent)],
        "responses": {
            **{
                str(status): _reply(
                    reply, schemas.get(((each.method, each.path, str(status)), "serialization")),
                    shared,
                )
                for status, reply in each.replies.items()
            },
            **_problems(each, schemas, shared),
        },
    }  # fmt: skip
    if each.body is not None:
        content = {}
        for media in each.body.models:
            schema = schemas[(each.method, each.path, media), "validation"]
            content[media] = {"schema": schema}
        first = next(iter(content.values()))
        examples = each.body.examples or (example_of(first["schema"], shared),)
        first["examples"] = {f"example{n}": {"value": one} for n, one in enumerate(examples, 1)}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _reply(reply: Reply, schema: Any, shared: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"description": reply.description}
    if reply.headers:
        made["headers"] = {
            one.name: {"description": one.description, "schema": dict(one.schema)}
            for one in reply.headers
        }
    if reply.links:
        made["links"] = {
            name: {"operationId": name, "parameters": {"id": f"$response.body#/{member}"}}
            for name, member in reply.links.items()
        }
    if schema is not None:
        content: dict[str, Any] = {"schema": schema}
        if reply.media.endswith("json"):
            content["examples"] = {"example1": {"value": example_of(schema, shared)}}
        made["content"] = {reply.media.partition(";")[0]: content}
    return made


def _problems(
    each: Operation, schemas: Mapping[Any, Any], shared: Mapping[str, Any]
) -> dict[str, Any]:
    by_status: dict[int, list[ProblemType]] = {}
    for problem in each.every_problem():
        by_status.setdefault(problem.status, []).append(problem)
    made: dict[str, Any] = {}
    for status, problems in sorted(by_status.items()):
        of = [schemas[("problem", one.slug, ""), "serialization"] for one in problems]
        schema = of[0] if len(of) == 1 else {"oneOf": of}
        found: dict[str, Any] = {
            "description": " ".join(problem.meaning for problem in problems),
            "content": {
                PROBLEM_JSON: {
                    "schema": schema,
                    "examples": {
                        problem.slug: {"value": example_of(one, shared)}
                        for problem, one in zip(problems, of, strict=True)
                    },
                }
            },
        }
        if status in _RETRIED:
            found["headers"] = {
                _AGAIN.name: {"description": _AGAIN.description, "schema": dict(_AGAIN.schema)}
            }
        made[str(status)] = found
    return made


def _parameters(each: Operation) -> list[dict[str, Any]]:
    if each.parameters is None:
        return []
    schema = each.parameters.model_json_schema(ref_template=REF)
    required = schema.get("required", ())
    found = []
    for name, described in schema.get("properties", {}).items():
        described.pop("title", None)
        in_path = f"{{{name}}}" in each.path
        found.append(
            {
                "name": name,
                "in": "path" if in_path else "query",
                "required": in_path or name in required,
                "description": described.pop("description", ""),
                "schema": _without_null(described),
            }
        )
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter's schema without null, which a query string cannot express."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) == 1:
        rest = {name: value for name, value in schema.items() if name != "anyOf"}
        schema = {**kinds[0], **rest}
    if schema.get("default", ...) is None:
        del schema["default"]
    return schema


def _sent(header: Header) -> dict[str, Any]:
    return {
        "name": header.name, "in": "header", "required": header.required,
        "description": header.description, "schema": dict(header.schema),
    }  # fmt: skip
