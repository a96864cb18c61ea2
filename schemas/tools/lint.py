"""Lints the .avsc files: rules of this repository, and schemas whose bytes could harm a reader.

Forbidden are recursive types, because bytes could then recurse a decoder without limit, and arrays
of items that take no bytes, because five bytes could then decode to millions of items.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from schemas.declarations import HOME, NAMESPACE, sources
from schemas.tools import folders, free_text

Json = dict[str, Any]
_MEANINGS = {
    "instant": ("long",),
    "date": ("int",),
    "money": ("long",),
    "quantity": ("int", "long"),
    "count": ("int", "long"),
    "change": ("int", "long"),
    "ordinal": ("int",),
    "scale": ("int",),
    "basis_points": ("int",),
    "code": ("string",),
    "barcode": ("array",),
    "text": ("string",),
    "currency": ("string",),
    "latitude": ("double",),
    "longitude": ("double",),
    "time_zone": ("string",),
    "time_of_day": ("string",),
}
_TIMES = ("happened", "set_for")
_PII = ("name", "kana", "postcode", "address", "birth_date", "free_text", "identifier")
_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def check(home: Path = HOME) -> list[str]:
    """All errors in the .avsc files and the topics' folders."""
    schemas = sources(home)
    return [*findings(schemas), *folders.check(home), *free_text.findings(schemas)]


def findings(schemas: dict[str, Json]) -> list[str]:
    """All errors in these schemas, which are by full name."""
    found: list[str] = []
    for name, schema in schemas.items():
        short = name.removeprefix(NAMESPACE)
        if schema.get("namespace") != NAMESPACE.rstrip("."):
            found.append(f"{short}: its namespace must be {NAMESPACE.rstrip('.')}")
        found += _documented(schema, short)
        found += dangers(schema, schemas)
        if schema["type"] == "enum" and "default" not in schema:
            found.append(f"{short}: an enum needs a default, for symbols that are added later")
        if schema["type"] == "record":
            found += _record(short, schema)
    return found


def dangers(schema: Json, schemas: dict[str, Json]) -> list[str]:
    """Errors: parts of the schema by which crafted bytes could exhaust a reader."""
    return [*_recursive(schema, schemas), *_weightless(schema, schemas)]


def _record(short: str, schema: Json) -> Iterator[str]:
    fields = schema["fields"]
    names = [field["name"] for field in fields]
    event = "may_append" in schema
    if event and (not fields or (names[0], fields[0]["type"]) != ("meta", f"{NAMESPACE}Meta")):
        yield f"{short}: the first field of an event must be meta, of type {NAMESPACE}Meta"
    for name in schema.get("sealed_under", ()):
        if name not in names:
            yield f"{short}: sealed_under names {name}, which is not a field of the event"
    for field in fields:
        yield from _field(f"{short}.{field['name']}", field, {f["name"]: f for f in fields})


def _field(where: str, field: Json, siblings: dict[str, Json]) -> Iterator[str]:
    kind, nullable = _plain(field["type"])
    if not _SNAKE.fullmatch(field["name"]):
        yield f"{where}: field names must be snake_case"
    if nullable and ("default" not in field or field["default"] is not None):
        yield f"{where}: a nullable field must have the default null"
    if field.get("pii") and (kind != "bytes" or field["pii"] not in _PII):
        yield f"{where}: a personal field must be bytes with pii of {', '.join(_PII)}, not {kind}"
    target = siblings.get(field.get("blind", ""), {})
    if "blind" in field and (not target.get("pii") or kind != f"{NAMESPACE}Uuid"):
        yield f"{where}: a blind index must be a Uuid and name a personal field of the same record"
    meaning = field.get("is")
    if meaning is not None and kind not in _MEANINGS.get(meaning, ()):
        yield f"{where}: a field of type {kind} cannot have is: {meaning!r}"
    if "case" in field and (meaning != "code" or field["case"] != "upper"):
        yield f'{where}: only a code is marked "case", and only as "upper"'
    if (meaning == "instant") != (field.get("time") in _TIMES):
        yield f'{where}: an instant, and nothing else, is marked "time": "happened" or "set_for"'


def _plain(kind: Any) -> tuple[str, bool]:
    if isinstance(kind, list):
        rest = [branch for branch in kind if branch != "null"]
        return (rest[0] if len(rest) == 1 and isinstance(rest[0], str) else "union"), True
    return (kind if isinstance(kind, str) else str(kind.get("type"))), False


def _documented(schema: Json, short: str) -> Iterator[str]:
    if not schema.get("doc"):
        yield f"{short}: has no doc"
    for field in schema.get("fields", []):
        if not field.get("doc"):
            yield f"{short}.{field['name']}: has no doc"


def _recursive(schema: Json, schemas: dict[str, Json]) -> list[str]:
    found: list[str] = []

    def walk(node: Any, inside: tuple[str, ...], known: dict[str, Json]) -> None:
        if isinstance(node, str):
            if node in inside:
                found.append(f"{inside[0]}: contains itself: {' > '.join([*inside, node])}")
            elif node in known:
                walk(known[node], inside, known)
            return
        name = _full_name(node)
        if name in inside:
            found.append(f"{inside[0]}: contains itself: {' > '.join([*inside, name])}")
            return
        for child in _children(node):
            walk(child, (*inside, name) if name else inside, known)

    walk(schema, (), {**_defined(schema), **schemas})
    return found


def _weightless(schema: Json, schemas: dict[str, Json]) -> Iterator[str]:
    known = {**_defined(schema), **schemas}
    weighs = _weigher(known)
    for node in _all_nodes(schema):
        items = node.get("items") if node.get("type") == "array" else None
        if items is not None and not weighs(items, frozenset()):
            yield f"{schema.get('name', '?')}: an array's items must take at least one byte"


def _weigher(known: dict[str, Json]) -> Callable[[Any, frozenset[str]], bool]:
    def weighs(node: Any, inside: frozenset[str]) -> bool:
        """Whether all values of this type take at least one byte."""
        if isinstance(node, list):
            return True  # the branch's index is a byte
        if isinstance(node, str):
            if node not in known:
                return node != "null"
            return node in inside or weighs(known[node], inside | {node})
        kind = node.get("type")
        if kind == "fixed":
            return bool(node["size"])
        if kind in ("record", "error"):
            return any(weighs(field["type"], inside) for field in node["fields"])
        return weighs(kind, inside) if isinstance(kind, (dict, list)) else kind != "null"

    return weighs


def _full_name(node: Any) -> str:
    if not isinstance(node, dict) or "name" not in node:
        return ""
    name = str(node["name"])
    return name if "." in name else f"{node.get('namespace', NAMESPACE.rstrip('.'))}.{name}"


def _children(node: Any) -> list[Any]:
    if isinstance(node, list):
        return node
    kind = node.get("type")
    children = [field["type"] for field in node.get("fields", [])]
    children += [node[key] for key in ("items", "values") if key in node]
    return children + ([kind] if isinstance(kind, (dict, list)) else [])


def _all_nodes(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
    if isinstance(node, (dict, list)):
        for child in _children(node):
            yield from _all_nodes(child)


def _defined(schema: Json) -> dict[str, Json]:
    return {_full_name(node): node for node in _all_nodes(schema) if "name" in node}
