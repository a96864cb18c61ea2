"""What does the HTTP contract of the desk look like to a tool? An OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.deciding.endpoint import HEADER
from services.identity.review.commands import CaseBody, PairBody, SplitBody
from services.identity.review.queue import KINDS
from services.identity.review.routes import BASE, CASES, LIMIT_MAX
from services.identity.review.search import SearchBody

DECISIONS: dict[str, tuple[str, type[BaseModel], str]] = {
    CASES + "/{id}/link": ("linkCase", CaseBody, "The two of a case are one person"),
    CASES + "/{id}/decline": ("declineCase", CaseBody, "They are not, on this evidence"),
    BASE + "/links": ("linkProfiles", PairBody, "Any two profiles are one person"),
    BASE + "/declines": ("declineProfiles", PairBody, "Any two profiles are not one person"),
    BASE + "/unlinks": ("unlinkProfiles", PairBody, "Two of one member are not one person"),
    BASE + "/splits": ("splitMember", SplitBody, "One profile apart from the rest of its member"),
}
_NO = {
    "400": "The body or the key cannot be read.",
    "401": "No token, or one that is not known.",
    "403": "The token's scopes forbid it.",
    "404": "There is no such case or profile.",
    "409": "The case was decided before, or the profiles are not one member.",
    "415": "Not JSON.",
    "422": "Not such a body or address, or the key was sent before with another body.",
    "503": "Not decided, or profiles are being loaded; send the same again.",
}


def document() -> dict[str, Any]:
    """The whole document, made from the models that check what comes in."""
    kinds: list[type[BaseModel]] = [*{kind for _, kind, _ in DECISIONS.values()}, SearchBody]
    _, made = models_json_schema(
        [(kind, "validation") for kind in sorted(kinds, key=lambda kind: kind.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hitotsu identity",
            "version": "1",
            "description": "Who may be one person, and what staff decides about it.",
        },
        "paths": {
            BASE + "/search": {"post": _search()},
            CASES: {"get": _get("listCases", "What there is to decide", _filters())},
            CASES + "/{id}": {
                "get": _get("getCase", "A case: both profiles, field by field", [_id(), _purpose()])
            },
            **{path: {"post": _decision(path, *what)} for path, what in DECISIONS.items()},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**made.get("$defs", {}), "Problem": {"type": "object"}},
        },
    }


def _search() -> dict[str, Any]:
    return {
        "operationId": "searchTwins",
        "summary": "Who is like the customer that is being typed in? Nothing is kept",
        "security": [{"token": []}],
        "requestBody": _body(SearchBody),
        "responses": {
            "200": {"description": "Likely twins, the likeliest first."},
            **_refusals("400", "401", "403", "415", "422", "503"),
        },
    }


def _decision(path: str, name: str, kind: type[BaseModel], summary: str) -> dict[str, Any]:
    key = {
        "name": HEADER, "in": "header", "required": True,
        "schema": {"type": "string", "maxLength": 255},
    }  # fmt: skip
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"token": []}],
        "parameters": [key, *([_id()] if "{id}" in path else [])],
        "requestBody": _body(kind),
        "responses": {"200": {"description": "Decided; the facts follow."}, **_refusals(*_NO)},
    }


def _get(name: str, summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"token": []}],
        "parameters": parameters,
        "responses": {
            "200": {"description": "As of the answer's position."},
            **_refusals("401", "403", "404", "422", "503"),
        },
    }


def _filters() -> list[dict[str, Any]]:
    uuid = {"type": "string", "format": "uuid"}
    limit = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}
    kinds = {"type": "array", "items": {"type": "string", "enum": list(KINDS)}}
    states = {"type": "string", "enum": ["open", "closed"], "default": "open"}
    schemas = {
        "state": states, "kind": kinds, "profile_id": uuid, "limit": limit,
        "cursor": {"type": "string"},
    }  # fmt: skip
    return [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()]


def _id() -> dict[str, Any]:
    uuid = {"type": "string", "format": "uuid"}
    return {"name": "id", "in": "path", "required": True, "schema": uuid}


def _purpose() -> dict[str, Any]:
    said = "Why values are shown; without it, or without `members:personal`, they are null."
    return {"name": "Purpose", "in": "header", "schema": {"type": "string"}, "description": said}


def _body(kind: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _refusals(*statuses: str) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {one: {"description": _NO[one], "content": problem} for one in statuses}
