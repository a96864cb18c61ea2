"""Who reads which field of which event? Found in the source of projections and services.

A module reads a field if it names it, as an attribute or in a text, and if a module of the same
folder handles the event. The envelope is read by the engine, and so is what a contract declares to
it: the record's key, the key of the document that is told, and the owner of a sealed value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from schemas.declarations import Description, Field, RecordType, describe
from schemas.topics import DEAD_LETTERS, EVENT_SCHEMAS, TOPIC_OF, former_key_fields, key_fields
from schemas.wire.documents import rule_of

ROOT = Path(__file__).parents[2]
# they send events or check what others have read
NO_READERS = {"bulk", "cli", "demo", "gateway", "intake", "rebuild", "sdk", "verify"}
ENVELOPE = "Meta"
Folder = tuple[str, ...]


class Source:
    """What the modules of one folder name, and which events they handle."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}
        self.events: set[str] = set()

    def add(self, path: Path) -> None:
        """Adds a module."""
        named = self.names.setdefault(path.relative_to(ROOT).as_posix(), set())
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                named.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
            elif isinstance(node, ast.ImportFrom) and node.module == "schemas.generated.events":
                self.events |= {one.name for one in node.names}

    def reading(self, field: str) -> list[str]:
        """The modules that name a field."""
        return [module for module, named in self.names.items() if field in named]


@cache
def sources() -> dict[Folder, Source]:
    """The folders of projections and services that may read events."""
    found: dict[Folder, Source] = {}
    for top in ("projections", "services"):
        for path in sorted((ROOT / top).rglob("*.py")):
            folder = path.relative_to(ROOT).parts[:2]
            if folder[1] not in NO_READERS:
                found.setdefault(folder, Source()).add(path)
    return found


def readers() -> dict[str, list[str]]:
    """By field, such as PurchaseCompleted.lines.sku: the modules that read it."""
    description = describe()
    return {
        f"{name}.{path}": _readers(name, path, field)
        for name, record in description.events.items()
        if TOPIC_OF[name].name != DEAD_LETTERS
        for path, field in fields_of(record, description)
    }


def kept_for() -> dict[str, str]:
    """By field: what it is kept for until somebody reads it."""
    description = describe()
    return {
        f"{name}.{path}": field.kept_for
        for name, record in description.events.items()
        for path, field in fields_of(record, description)
        if field.kept_for is not None
    }


def fields_of(
    record: RecordType, description: Description, before: str = ""
) -> Iterator[tuple[str, Field]]:
    """The fields of a record and of those nested in it, without the envelope."""
    for field in record.fields:
        part = description.parts.get(field.of or "")
        if field.of == ENVELOPE:
            continue
        if part is None:
            yield before + field.name, field
        else:
            yield from fields_of(part, description, f"{before}{field.name}.")


def _readers(event: str, path: str, field: Field) -> list[str]:
    by_contract = ["its contract"] if path in _declared(event) else []
    return by_contract + [
        module
        for source in sources().values()
        if event in source.events
        for module in source.reading(field.name)
    ]


@cache
def _declared(event: str) -> set[str]:
    """The fields that the engine reads because the contract says so."""
    schema = EVENT_SCHEMAS[event]
    rule = rule_of(schema, key_fields(event))
    former = {name for fields in former_key_fields(event) for name in fields}
    sealed = set(schema.get("sealed_under", ()))
    return {*key_fields(event), *former, *sealed, *(rule.key if rule else ())}
