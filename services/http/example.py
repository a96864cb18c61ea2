"""Generates a small, plausible, deterministic value for a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, uuid5

_TEXTS = {
    "date-time": "2026-01-31T09:30:00Z",
    "date": "2026-01-31",
    "uri": "https://example.org",
}


def example_of(schema: Any, shared: Mapping[str, Any]) -> Any:
    """An example of the schema; it does not consider `pattern` and `maximum`.

    `shared`: the schemas that `$ref` refers to, by name.
    """
    return _value(schema, shared, count(1), ())


def _value(schema: Any, shared: Mapping[str, Any], ids: count[int], within: tuple[str, ...]) -> Any:
    if schema is True or not schema:
        return {}
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _value(shared[name], shared, ids, (*within, name))
    for told in ("const", "default"):
        if told in schema and schema[told] is not None:
            return schema[told]
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    for several in ("oneOf", "anyOf", "allOf"):
        if several in schema:
            chosen: Any = next((one for one in schema[several] if not _nested(one, within)), {})
            return _value(chosen, shared, ids, within)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return _object(schema, shared, ids, within)
    if kind == "array":
        return _array(schema, shared, ids, within)
    return _plain(kind, schema, ids)


def _object(
    schema: Any, shared: Mapping[str, Any], ids: count[int], within: tuple[str, ...]
) -> dict[str, Any]:
    required = schema.get("required", ())
    return {
        name: _value(one, shared, ids, within)
        for name, one in schema.get("properties", {}).items()
        if name in required
    }


def _array(
    schema: Any, shared: Mapping[str, Any], ids: count[int], within: tuple[str, ...]
) -> list[Any]:
    if "prefixItems" in schema:
        return [_value(one, shared, ids, within) for one in schema["prefixItems"]]
    items = schema.get("items", {})
    if _nested(items, within) and not schema.get("minItems"):
        return []
    return [_value(items, shared, ids, within) for _ in range(schema.get("minItems", 1))]


def _nested(schema: Any, within: tuple[str, ...]) -> bool:
    """Whether the schema refers to one in `within`, so that its example would be infinite."""
    return isinstance(schema, dict) and schema.get("$ref", "").rpartition("/")[2] in within


def _plain(kind: str | None, schema: Any, ids: count[int]) -> Any:
    if kind == "null":
        return None
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
    form = schema.get("format")
    if form == "uuid":
        return str(uuid5(NAMESPACE_URL, str(next(ids))))
    text = _TEXTS.get(str(form), "text")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
