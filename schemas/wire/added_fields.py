"""Which fields of the newest schema does an older one lack, and what stands in them?

Releases of a record differ by fields that were added with a default, and by words that were added
to an enum. So a value of an older schema can be read like one of the newest: its own fields from
the bytes, the added ones from their defaults. Where two schemas differ in anything else, the Avro
library resolves them.
"""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]
ADDED = "added"  # the key under which a record of the result has the added fields' defaults


def with_added_fields(older: Json, newest: Json) -> Json | None:
    """The older schema; each of its records names the added fields with their defaults under
    `ADDED`. None where the schemas differ in anything else.
    """
    known: dict[str, Json] = {}
    _collect(newest, known)
    result: Json = json.loads(json.dumps(older))
    own: dict[str, Json] = {}
    _collect(result, own)
    fit = all(_extended(schema, known.get(name, {})) for name, schema in own.items())
    return result if fit else None


def _collect(node: Any, into: dict[str, Json]) -> None:
    """The records, enums and fixed types that a schema defines, by name."""
    if isinstance(node, list):
        for branch in node:
            _collect(branch, into)
    if not isinstance(node, dict):
        return
    if "name" in node:
        into[node["name"]] = node
    for field in node.get("fields", []):
        _collect(field["type"], into)
    _collect(node.get("items"), into)


def _extended(older: Json, newest: Json) -> bool:
    """Adds what the older schema of a named type lacks; False where that is not all."""
    if older["type"] != newest.get("type"):
        return False
    if older["type"] == "enum":
        return set(older["symbols"]) <= set(newest["symbols"])
    if older["type"] != "record":
        return bool(older.get("size") == newest.get("size"))
    theirs = {field["name"]: field for field in newest["fields"]}
    for field in older["fields"]:
        other = theirs.pop(field["name"], None)
        if other is None or _meaning(field) != _meaning(other):
            return False
    older[ADDED] = {name: field.get("default", _Missing) for name, field in theirs.items()}
    return all(map(_is_plain, older[ADDED].values()))


def _meaning(field: Json) -> object:
    return _shape(field["type"]), field.get("is")


def _shape(kind: Any) -> object:
    """A type with names instead of definitions, which stand where a name is used first."""
    if isinstance(kind, list):
        return tuple(_shape(branch) for branch in kind)
    if isinstance(kind, dict):
        if "name" in kind:
            return kind["name"]
        return kind["type"], _shape(kind.get("items"))
    return kind.rpartition(".")[2] if isinstance(kind, str) else kind


class _Missing:
    """Stands for a default that is not there."""


def _is_plain(default: object) -> bool:
    """Whether the default is the same in JSON and in an event."""
    return default in (None, []) or isinstance(default, bool | int | float | str)
