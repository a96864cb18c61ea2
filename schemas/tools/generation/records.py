"""Generates functions that convert events to and from the dicts that fastavro reads and writes."""

from schemas.declarations import Description, Field, RecordType, module_of, snake
from schemas.tools.generation.events import has_own_function, parts_used, parts_with_functions
from schemas.tools.generation.layout import (
    Bracket,
    build,
    comprehension,
    constructors,
    import_from,
    imports_from,
    item_name,
    keyword,
    lines,
    module,
)
from schemas.topics import TOPICS, Topic

Expression = str | Bracket
SHARED = "Meta"  # part of all events: converted by a function of its own, not inlined


def files(description: Description) -> dict[str, str]:
    """Generated files by path below schemas/."""
    made = {"records/meta.py": _meta(description), "records/__init__.py": _package()}
    for topic in TOPICS.values():
        name = module_of(topic)
        made[f"records/{name}_from_record.py"] = _from_record(description, topic)
        made[f"records/{name}_to_record.py"] = _to_record(description, topic)
    return made


class _Reading:
    """Writes the expression that builds a typed object from a fastavro dict."""

    def __init__(self, description: Description) -> None:
        self.parts = description.parts
        self.checks: set[str] = set()
        self.classes: set[str] = set()

    def build(self, record: RecordType, source: str) -> Bracket:
        self.classes.add(record.name)
        return build(record.name, *(keyword(f.name, self._field(f, source)) for f in record.fields))

    def _field(self, field: Field, source: str) -> Expression:
        value = f'{source}["{field.name}"]'
        if field.of == SHARED:
            return f"meta_from({value})"
        if field.shape == "record":
            return self.build(self.parts[str(field.of)], field.name)
        if field.item == "record":
            name, part = item_name(value), self.parts[str(field.of)]
            if has_own_function(part):
                return f"[{snake(part.name)}_from({name}) for {name} in {value}]"
            item = self.build(part, name)
            return comprehension(item, f"for {name} in {value}")
        check = self._check(field)
        if not check:
            return value
        self.checks.add(check)
        return f"{value} and {check}({value})" if field.nullable else f"{check}({value})"

    @staticmethod
    def _check(field: Field) -> str | None:
        if field.meaning in ("instant", "date"):
            return {"instant": "instant", "date": "day"}[str(field.meaning)]
        return "small" if field.shape == "int" else None


def _write(description: Description, record: RecordType, source: str) -> Bracket:
    pairs: list[Expression] = []
    for field in record.fields:
        value: Expression = f"{source}.{field.name}"
        if field.of == SHARED:
            value = f"meta_record({value})"
        elif field.shape == "record":
            value = _write(description, description.parts[str(field.of)], field.name)
        elif field.item == "record":
            items = f"{source}.{field.name}"
            name = item_name(items)
            part = description.parts[str(field.of)]
            if has_own_function(part):
                value = f"[{snake(part.name)}_record({name}) for {name} in {items}]"
            else:
                item = _write(description, part, name)
                value = comprehension(item, f"for {name} in {items}")
        pairs.append(_pair(field.name, value))
    return Bracket("{", pairs, "}")


def _pair(name: str, value: Expression) -> Expression:
    if isinstance(value, str):
        return f'"{name}": {value}'
    return Bracket(f'"{name}": {value.head}', value.parts, value.tail, value.comma)


def _nested(record: RecordType, source: str, subscript: bool) -> list[str]:
    """Lines that assign nested records to local variables, so that they are looked up once."""
    return [
        f'    {f.name} = {source}["{f.name}"]' if subscript else f"    {f.name} = {source}.{f.name}"
        for f in record.fields
        if f.shape == "record" and f.of != SHARED
    ]


def _from_function(reading: _Reading, record: RecordType, name: str) -> list[str]:
    return [
        f"def {name}(record: dict[str, Any]) -> {record.name}:",
        *_nested(record, "record", True),
        *lines("return ", reading.build(record, "record"), indent=4),
    ]


def _to_function(description: Description, record: RecordType, name: str) -> list[str]:
    return [
        f"def {name}(event: {record.name}) -> dict[str, Any]:",
        *_nested(record, "event", False),
        *lines("return ", _write(description, record, "event"), indent=4),
    ]


def _meta(description: Description) -> str:
    reading = _Reading(description)
    record = description.parts[SHARED]
    blocks = [
        _from_function(reading, record, "meta_from"),
        _to_function(description, record, "meta_record"),
    ]
    used = [SHARED, *(str(f.of) for f in record.fields if f.shape == "record")]
    imports = ["from typing import Any", ""]
    imports += import_from("schemas.generated.events.parts", used)
    imports += import_from("schemas.wire.bounds", sorted(reading.checks))
    imports += [*import_from("schemas.wire.event_builders", ["by_name"]), ""]
    imports += constructors(reading.classes)
    return module("The envelope, to and from a plain record.", imports, blocks)


def _from_record(description: Description, topic: Topic) -> str:
    reading = _Reading(description)
    records = description.events_of(topic)
    blocks = [
        _from_function(reading, record, f"{snake(record.name)}_from")
        for record in [*parts_with_functions(description, topic), *records]
    ]
    imports = ["from typing import Any", ""]
    imports += imports_from(
        ("schemas.wire.bounds", sorted(reading.checks)),
        (f"schemas.generated.events.{module_of(topic)}", topic.events),
        (
            "schemas.generated.events.parts",
            sorted(_all_parts(description, parts_used(description, topic)) - {SHARED, "Producer"}),
        ),
        ("schemas.generated.records.meta", ["meta_from"]),
        ("schemas.wire.event_builders", ["by_name"]),
    )
    imports += ["", *constructors(reading.classes)]
    return module(f"The events of {topic.name}, from plain records.", imports, blocks)


def _to_record(description: Description, topic: Topic) -> str:
    records = description.events_of(topic)
    own = parts_with_functions(description, topic)
    blocks = [
        _to_function(description, record, f"{snake(record.name)}_record")
        for record in [*own, *records]
    ]
    imports = ["from typing import Any", ""]
    imports += imports_from(
        (f"schemas.generated.events.{module_of(topic)}", topic.events),
        ("schemas.generated.events.parts", [part.name for part in own]),
        ("schemas.generated.records.meta", ["meta_record"]),
    )
    return module(f"The events of {topic.name}, to plain records.", imports, blocks)


def _all_parts(description: Description, names: set[str]) -> set[str]:
    inner = {
        str(field.of)
        for name in names
        for field in description.parts[name].fields
        if field.of in description.parts
    }
    return names | (_all_parts(description, inner) if inner else set())


def _package() -> str:
    topics = sorted(module_of(topic) for topic in TOPICS.values())
    modules = [f"{topic}_{way}_record" for topic in topics for way in ("from", "to")]
    imports = ["from collections.abc import Callable", "from typing import Any", ""]
    imports += import_from("schemas.generated.events", ["Event"])
    imports += import_from("schemas.generated.records", modules)
    body = ["FROM_RECORD: dict[str, Callable[[dict[str, Any]], Event]] = {"]
    records = [(e, module_of(t), snake(e)) for t in TOPICS.values() for e in t.events]
    body += [f'    "{event}": {topic}_from_record.{name}_from,' for event, topic, name in records]
    body += ["}", "TO_RECORD: dict[str, Callable[[Any], dict[str, Any]]] = {"]
    body += [f'    "{event}": {topic}_to_record.{name}_record,' for event, topic, name in records]
    text = module("Events to and from the plain records that the Avro library knows.", imports, [])
    return text + "\n" + "\n".join([*body, "}"]) + "\n"
