"""Checks the topics' folders: name, key, partitions, and who may append the events."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.declarations import HOME, LINES_OF
from schemas.rights import ROLES
from schemas.topics import TOGETHER, read_json, schemas_in

_TOPIC = {"name": str, "doc": str, "partitions": int}
_RIGHT = {"roles", "own", "by_producers", "doc"}


def check(home: Path = HOME) -> list[str]:
    """All errors in the topics' folders, and nested records that look like events."""
    found: list[str] = []
    for folder in sorted(path for path in (home / "contracts").iterdir() if path.is_dir()):
        found += _folder(folder)
    for part in schemas_in(home / "types"):
        if "meta" in _names(part):
            found.append(
                f"{part['name']}: has a meta field, so it is an event: move it to a topic's folder"
            )
    return [*found, *_twice(home), *_documents(home)]


def _folder(folder: Path) -> Iterator[str]:
    schemas = list(schemas_in(folder))
    if not (folder / "topic.json").exists():
        if schemas:
            yield f"contracts/{folder.name}: has events but no topic.json"
        return
    topic = read_json(folder / "topic.json")
    where = f"contracts/{folder.name}/topic.json"
    for attribute, kind in _TOPIC.items():
        if not isinstance(topic.get(attribute), kind) or not topic[attribute]:
            yield f"{where}: {attribute} is missing or not of type {kind.__name__}"
    for schema in schemas:
        yield from _key(schema, schema.get("key", topic.get("key")))
        yield from _former_keys(schema, schema if "key" in schema else topic)
        yield from _right(schema)


def _key(schema: dict[str, Any], key: Any) -> Iterator[str]:
    name = schema["name"]
    if not key or not isinstance(key, list):
        yield f"{name}: neither the event nor its topic declares a key"
        return
    for field in (part for said in key for part in said.split(TOGETHER)):
        if field not in _names(schema):
            yield f"{name}: its key names {field}, which is not a field of the event"


def _former_keys(schema: dict[str, Any], source: dict[str, Any]) -> Iterator[str]:
    name, former = schema["name"], source.get("former_keys", [])
    if not isinstance(former, list) or not all(isinstance(key, list) and key for key in former):
        yield f"{name}: former_keys is no list of keys"
        return
    if source.get("key") in former:
        yield f"{name}: former_keys names the present key"
    for key in former:
        if not set(key) & set(_names(schema)):
            yield f"{name}: a former key names {', '.join(key)}, of which it has no field"


def _right(schema: dict[str, Any]) -> Iterator[str]:
    name, said = schema["name"], schema.get("may_append")
    if not isinstance(said, dict) or not isinstance(said.get("roles"), list):
        yield f"{name}: does not declare who may append it (may_append with roles)"
        return
    for role in said["roles"]:
        if role not in ROLES:
            yield f"{name}: may_append names the role {role}, which does not exist"
    for attribute in sorted(set(said) - _RIGHT):
        yield f"{name}: may_append has no attribute {attribute}"
    for path in said.get("own", []):
        if path.partition(".")[0] not in _names(schema):
            yield f"{name}: may_append.own names {path}, which is not a field of the event"


def _twice(home: Path) -> Iterator[str]:
    names = [
        schema["name"]
        for folder in sorted((home / "contracts").iterdir())
        for schema in schemas_in(folder)
    ]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name}: is in more than one topic"


def _documents(home: Path) -> Iterator[str]:
    """Which fields make a document's key and content; see `schemas/wire/documents.py`."""
    parts = {f"hitotsu.{part['name']}": part for part in schemas_in(home / "types")}
    by_id: list[str] = []
    for folder in sorted((home / "contracts").iterdir()):
        for schema in schemas_in(folder):
            said = schema.get("document")
            if said is not None and said is not False:
                yield from _document(schema, said, parts)
                by_id += _keyed_by_one_id(schema, said)
    if len(by_id) > 1:
        yield f"{', '.join(by_id)}: the key of a document is one id in more than one event"


def _document(
    schema: dict[str, Any], said: dict[str, Any], parts: dict[str, dict[str, Any]]
) -> Iterator[str]:
    name, fields = schema["name"], {field["name"]: field for field in schema["fields"]}
    for attribute in sorted(set(said) - {"key", "same"}):
        yield f"{name}: document has no attribute {attribute}"
    if "key" in said and not said["key"]:
        yield f"{name}: document.key is empty"
    for field in said.get("key", []):
        if field not in fields:
            yield f"{name}: document.key names {field}, which is no field of it"
    for field in said.get("same", []):
        lines = LINES_OF.fullmatch(field)
        known = fields.get(lines[1] if lines else field)
        if known is None:
            yield f"{name}: document.same names {field}, which is no field of it"
        elif lines is not None:
            kind = known["type"]
            part = parts.get(kind.get("items", "")) if isinstance(kind, dict) else None
            missing = set(lines[2].split(",")) - set(_names(part or {}))
            if missing:
                listed = ", ".join(sorted(missing))
                yield f"{name}: document.same names {listed}, which its {lines[1]} do not have"


def _keyed_by_one_id(schema: dict[str, Any], said: dict[str, Any]) -> list[str]:
    key = said.get("key", [])
    kinds = [field["type"] for field in schema["fields"] if field["name"] in key]
    return [schema["name"]] if len(kinds) == 1 and "hitotsu.Uuid" in str(kinds[0]) else []


def _names(schema: dict[str, Any]) -> list[str]:
    return [field["name"] for field in schema.get("fields", [])]
