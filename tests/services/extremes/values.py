"""Which requests are tried? Each address once well formed, and once with each value for each field.

Made from a process's own OpenAPI document, so that an address that is added is tried as well.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

KNOWN = "7b8d600c-def6-5047-9aba-62b955cf08a7"  # the buyer of the example purchase
NEVER_SEEN = "00000000-0000-4000-8000-0000000f0f0f"
SKU, PLACE = "4901234567894", "S001"
NOT_INSTANTS = (
    "20261120", "2026-11-20", "2026-11-20T18:00:00", "2026-11-20T18:00:00 09:00", "1795000000",
    "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "now", "", "2026-11-20T18:00:00+24:00",
    "-0001-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "９999-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "0000-01-01T00:00:00Z",
)  # fmt: skip
INSTANTS = (
    "2026-11-20T18:00:00+09:00", "2026-11-20t18:00:00z", "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00-14:00", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59+14:00",
    "1899-12-31T23:59:59Z", "2199-12-31T23:59:59Z", "2200-01-01T00:00:00Z",
    "2026-11-20T18:00:00.123456789+09:00",
)  # fmt: skip
IDS = (
    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", KNOWN,
    NEVER_SEEN, "x", "", "123", KNOWN.upper(), KNOWN.replace("-", ""), "a" * 600, "\0", "\u202e",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, -(10**30), 0.5, 1e300,
    "1", "٣", "1e5", "NaN", "", None, True, [], {},
)  # fmt: skip
TEXTS = (
    "", "a", "\0", "a\0b", "a" * 64, "a" * 65, "a" * 6_000, "\u202e", "𠮷", "%", "'", "\\", "..",
    "2026-11-20", "null", "\ud800", 5, None, [], {}, [[[]]],
)  # fmt: skip
LISTS = ([], [None], [[]], ["a"] * 1_001, [{}] * 101, {}, "a", None)
POSITIONS = (
    "event:", "event:x", f"event:{KNOWN}x", "{", "[]", "1", "null", '"x"', '{"a": 1}',
    '{"commerce.points": 1}', '{"commerce.points-": 1}', '{"commerce.points-99": 0}',
    '{"commerce.points-99": 5}', '{"commerce.points--1": 1}', '{"commerce.points-00": 1}',
    '{"commerce.points-99999": 1}', '{"commerce.points-99999999999": 1}',
    '{"commerce.unheard-0": 1}', '{"commerce.points-0": -1}', '{"commerce.points-0": 1e3}',
    '{"commerce.points-0": 9223372036854775808}', '{"commerce.points-0": "1"}', "[" * 5_000,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Try:
    """One request; `field` names what is extreme about it."""

    method: str
    route: str
    field: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None


def tries(document: dict[str, Any]) -> Iterator[Try]:
    """Every request for every address of a process."""
    for route, methods in document["paths"].items():
        for method, what in methods.items():
            yield from _of_route(document, method.upper(), route, what)


def _of_route(
    document: dict[str, Any], method: str, route: str, what: dict[str, Any]
) -> Iterator[Try]:
    named = [one for one in what.get("parameters", ()) if one["in"] != "header"]
    plain = {one["name"]: fit(document, one["schema"], one["name"]) for one in named}
    content = what.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    body = None if schema is None else fit(document, schema, "body")

    def attempt(name: str, values: dict[str, Any], body: Any = body) -> Try:
        path = route
        for one in named:
            if one["in"] == "path":
                path = path.replace(f"{{{one['name']}}}", str(values[one["name"]]))
        query = {
            one["name"]: values[one["name"]]
            for one in named
            if one["in"] == "query" and (one.get("required") or one["name"] == name)
        }
        return Try(method, route, name, path, query, body)

    yield attempt("", plain)
    for one in named:
        for value in extremes(document, one["schema"], one["name"]):
            if isinstance(value, list | dict) or value is None:
                continue
            if one["in"] == "path" and not _in_a_path(str(value)):
                continue
            yield attempt(one["name"], {**plain, one["name"]: value})
    if schema is not None:
        for place, changed in changes(document, schema, body):
            yield attempt(place, plain, changed)


def _in_a_path(text: str) -> bool:
    return text not in ("", ".", "..") and "/" not in text and "{" not in text


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself; of several, the first that is something."""
    if "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return resolved(document, found)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            some = [one for one in schema[several] if one.get("type") != "null"]
            return resolved(document, some[0])
    return schema


def fit(document: dict[str, Any], schema: dict[str, Any], name: str) -> Any:
    """A value that fits, and names what is there where the name says so."""
    schema = resolved(document, schema)
    kind, form = schema.get("type"), schema.get("format")
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if form == "uuid":
        return NEVER_SEEN if name.startswith("other") else KNOWN
    if form == "date-time":
        return INSTANTS[0]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind == "array":
        return [fit(document, schema.get("items", {}), name)]
    if kind == "object":
        wanted = schema.get("required", ())
        properties = schema.get("properties", {})
        return {one: fit(document, properties[one], one) for one in wanted}
    if kind == "boolean":
        return True
    if name == "min_position":
        return "{}"
    return SKU if "sku" in name or name == "candidates" else PLACE


def extremes(document: dict[str, Any], schema: dict[str, Any], name: str) -> tuple[Any, ...]:
    """Values for a field of this type."""
    schema = resolved(document, schema)
    if schema.get("format") == "uuid":
        return IDS
    if schema.get("format") == "date-time":
        return (*INSTANTS, *NOT_INSTANTS)
    if name == "min_position":
        return POSITIONS
    by_type = {"integer": NUMBERS, "number": NUMBERS, "array": LISTS}
    return by_type.get(str(schema.get("type")), TEXTS)


def changes(
    document: dict[str, Any], schema: dict[str, Any], body: Any
) -> Iterator[tuple[str, Any]]:
    """The body with each extreme value in the place of each field, and with each field left out."""
    for place, inner in _places(document, schema, ()):
        name = str(place[-1]) if place else "body"
        for value in extremes(document, inner, name):
            changed = copy.deepcopy(body)
            if _put(changed, place, value):
                yield "/".join(map(str, place)), changed
    for odd in (None, [], "", 5, {"more": 1}):
        yield "body", odd


def _places(
    document: dict[str, Any], schema: dict[str, Any], place: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    schema = resolved(document, schema)
    for name, inner in schema.get("properties", {}).items():
        yield (*place, name), inner
        yield from _places(document, inner, (*place, name))
    if "items" in schema:
        yield (*place, 0), schema["items"]
        yield from _places(document, schema["items"], (*place, 0))


def _put(body: Any, place: tuple[Any, ...], value: Any) -> bool:
    for step in place[:-1]:
        if isinstance(body, dict):
            body = body.setdefault(step, {})
        elif isinstance(body, list) and body:
            body = body[0]
        else:
            return False
    last = place[-1]
    if isinstance(body, list) and body:
        body[0] = value
    elif isinstance(body, dict):
        body[last] = value
    else:
        return False
    return True


def as_json(body: Any) -> bytes:
    """As it would be sent; a lone surrogate goes as its escape."""
    return json.dumps(body).encode()
