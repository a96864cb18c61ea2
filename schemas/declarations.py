"""Reads the .avsc files into typed descriptions (events, records, enums).

This is the only module that parses the files; the generator and the lint use its result.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.topics import TOPIC_OF, TOPICS, Topic

HOME = Path(__file__).parent
NAMESPACE = "hitotsu."
# how a document's `same` names fields of its lines: lines(sku,quantity)
LINES_OF = re.compile(r"(\w+)\(([\w,]+)\)")
PRIMITIVES = ("string", "int", "long", "double", "boolean", "bytes")


class BadSchema(Exception):
    """A schema file breaks a rule of this repository; the text names the file or field, and the
    rule.
    """


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record.

    `shape`: an Avro primitive, "id", "enum", "record" or "array". `of`: the name of the record,
    enum or array item type. `item`: the shape of an array's items. `meaning`: attribute `is`.
    `pii`: kind of a sealed personal value. `blind`: the personal field whose blind index this is.
    `at_least`: an array's minimum number of items, an ordinal's smallest value. `unique`: the item
    fields that no two items of an array may have in common.
    """

    name: str
    shape: str
    doc: str
    nullable: bool
    has_default: bool
    default: Any
    of: str | None = None
    item: str | None = None
    meaning: str | None = None
    pii: str | None = None
    blind: str | None = None
    at_least: int | None = None
    unique: tuple[str, ...] = ()
    unless_said: Any = None  # value that the gateway fills in, if not the Avro default
    kept_for: str | None = None  # what a field is kept for that nothing reads yet
    moved_to: str | None = None  # sealed field to which the gateway moves the value of this one


@dataclass(frozen=True, slots=True)
class RecordType:
    """An Avro record: an event, or a record nested in one."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    # fields of which the first non-null one names the subject whose key seals; else the record key
    sealed_under: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enum:
    """An Avro enum: its name and its symbols."""

    name: str
    doc: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """The content of all .avsc files: events, nested records (`parts`) and enums, by name."""

    events: dict[str, RecordType]
    parts: dict[str, RecordType]
    enums: dict[str, Enum]

    def events_of(self, topic: Topic) -> list[RecordType]:
        """The events of a topic, in the order of their files."""
        return [self.events[name] for name in topic.events]

    def personal(self, record: RecordType) -> bool:
        """Whether the record or a record nested in it has a personal (sealed) field."""
        return any(
            field.pii or (field.of in self.parts and self.personal(self.parts[str(field.of)]))
            for field in record.fields
        )


def snake(name: str) -> str:
    """CamelCase to snake_case: PurchaseCompleted becomes purchase_completed."""
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


def module_of(topic: Topic) -> str:
    """The topic's name as a module name: commerce.dead-letters becomes dead_letters."""
    return topic.name.removeprefix("commerce.").replace("-", "_")


def sources(home: Path = HOME) -> dict[str, dict[str, Any]]:
    """The .avsc files as parsed JSON, by full name; raises BadSchema for a misnamed file."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted([*home.glob("contracts/*/*.avsc"), *home.glob("types/*.avsc")]):
        schema = json.loads(path.read_text(encoding="utf-8"))
        if path.stem != snake(schema["name"]):
            raise BadSchema(
                f"{path.name}: must be named after its record {schema['name']} in snake_case"
            )
        found[NAMESPACE + schema["name"]] = schema
    return found


_schemas = cache(sources)


def fields_of(name: str) -> list[dict[str, Any]]:
    """The fields of a record type of this repository, as in its .avsc file."""
    fields: list[dict[str, Any]] = _schemas()[NAMESPACE + name]["fields"]
    return fields


def record_in(kind: Any) -> str | None:
    """The name of the record type in a field's type, without the namespace; None if it has none."""
    if isinstance(kind, list):
        return next((name for branch in kind if (name := record_in(branch))), None)
    if isinstance(kind, dict):
        return record_in(kind["items"]) if kind.get("type") == "array" else None
    if _schemas().get(kind, {}).get("type") != "record":
        return None
    return str(kind).removeprefix(NAMESPACE)


def describe(home: Path = HOME) -> Description:
    """Reads all .avsc files; raises BadSchema if one breaks a rule or an event has no file."""
    schemas = sources(home)
    enums = {
        schema["name"]: Enum(schema["name"], schema["doc"], tuple(schema["symbols"]))
        for schema in schemas.values()
        if schema["type"] == "enum"
    }
    records = {
        schema["name"]: RecordType(
            schema["name"],
            schema["doc"],
            tuple(_field(schema["name"], field, schemas) for field in schema["fields"]),
            tuple(schema.get("sealed_under", ())),
        )
        for schema in schemas.values()
        if schema["type"] == "record"
    }
    events = {name: record for name, record in records.items() if name in TOPIC_OF}
    missing = {event for topic in TOPICS.values() for event in topic.events} - set(events)
    if missing:
        raise BadSchema(f"no .avsc file for {', '.join(sorted(missing))}")
    parts = {name: record for name, record in records.items() if name not in events}
    return Description(events, parts, enums)


def _field(record: str, raw: dict[str, Any], schemas: dict[str, dict[str, Any]]) -> Field:
    where = f"{record}.{raw['name']}"
    kind = raw["type"]
    nullable = isinstance(kind, list)
    if nullable:
        if len(kind) != 2 or kind[0] != "null":
            raise BadSchema(f"{where}: a union must be null and one type")
        kind = kind[1]
    of = item = None
    if isinstance(kind, dict):
        if kind.get("type") != "array":
            raise BadSchema(f"{where}: only an array type may be declared inline")
        shape, of = "array", _short(kind["items"])
        item = _shape(where, kind["items"], schemas)
    else:
        shape = _shape(where, kind, schemas)
        of = _short(kind) if shape in ("enum", "record") else None
    return Field(
        name=raw["name"],
        shape=shape,
        doc=raw["doc"],
        nullable=nullable,
        has_default="default" in raw,
        default=raw.get("default"),
        of=of,
        item=item,
        meaning=raw.get("is"),
        pii=raw.get("pii"),
        blind=raw.get("blind"),
        at_least=raw.get("at_least"),
        unique=_names(raw.get("unique", [])),
        unless_said=raw.get("unless_said"),
        kept_for=raw.get("kept_for"),
        moved_to=raw.get("moved_to"),
    )


def _shape(where: str, kind: str, schemas: dict[str, dict[str, Any]]) -> str:
    if kind in PRIMITIVES:
        return kind
    if kind not in schemas:
        raise BadSchema(f"{where}: unknown type {kind}")
    return "id" if schemas[kind]["type"] == "fixed" else str(schemas[kind]["type"])


def _names(said: str | list[str]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said)


def _short(kind: str) -> str:
    return kind.removeprefix(NAMESPACE)
