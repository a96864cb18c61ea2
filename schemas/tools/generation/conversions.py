"""Generates functions that convert a validated input model to its event; these encrypt personal
fields.
"""

from schemas.declarations import Description, Field, RecordType, module_of, snake
from schemas.tools.generation.events import has_own_function, parts_with_functions
from schemas.tools.generation.inputs import producer_topics
from schemas.tools.generation.layout import (
    Bracket,
    build,
    call,
    comprehension,
    constructors,
    import_from,
    imports_from,
    item_name,
    keyword,
    lines,
    module,
)
from schemas.topics import Topic, key_fields

Expression = str | Bracket
SHARED = "Meta"


def files(description: Description) -> dict[str, str]:
    """Generated files by path below schemas/."""
    made = {
        "conversions/meta.py": _meta(description),
        "conversions/__init__.py": _package(description),
    }
    for topic in producer_topics():
        made[f"conversions/{module_of(topic)}.py"] = _topic(description, topic)
    return made


class _Building:
    """Writes the expression that builds an event from its input model."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.helpers: set[str] = set()
        self.classes: set[str] = set()

    def build(self, record: RecordType, source: str, path: str = "") -> Bracket:
        self.classes.add(record.name)
        return build(
            record.name,
            *(keyword(f.name, self._field(record, f, source, path)) for f in record.fields),
        )

    def _field(self, record: RecordType, field: Field, source: str, path: str) -> Expression:
        value = f"{source}.{field.name}"
        if field.of == SHARED:
            return f"meta_of({value})"
        if field.moved_to:
            return "None" if field.nullable else '""'
        if field.pii:
            where = _quoted(path + field.name)
            moved = next((old for old in record.fields if old.moved_to == field.name), None)
            if moved is not None:
                self.helpers.add("sealed_note")
                old = f"{source}.{moved.name}"
                return call("sealed_note", "seal", "event_id", "subject", where, old, value)
            kind = _kind(field, source)
            helper = self._helper("sealed", field)
            return call(helper, "seal", "event_id", "subject", where, kind, value)
        if field.blind:
            target = next(other for other in record.fields if other.name == field.blind)
            where = _quoted(path + target.name)
            helper = self._helper("indexed", field)
            return call(helper, "seal", where, _kind(target, source), f"{source}.{target.name}")
        if field.shape == "record":
            return self.build(self._part(field), value, f"{path}{field.name}.")
        if field.item == "record":
            return self._items(field, value, path)
        return value

    def _items(self, field: Field, value: str, path: str) -> Expression:
        part, name = self._part(field), item_name(value)
        if has_own_function(part) and not self.description.personal(part):
            return f"[{snake(part.name)}({name}) for {name} in {value}]"
        if not self.description.personal(part):
            return comprehension(self.build(part, name), f"for {name} in {value}")
        item = self.build(part, name, f"{path}{field.name}[{{at}}].")
        return comprehension(item, f"for at, {name} in enumerate({value})")

    def _part(self, field: Field) -> RecordType:
        return self.description.parts[str(field.of)]

    def _helper(self, name: str, field: Field) -> str:
        helper = f"{name}_or_none" if field.nullable else name
        self.helpers.add(helper)
        return helper


def _quoted(path: str) -> str:
    return f'f"{path}"' if "{" in path else f'"{path}"'


def _kind(field: Field, source: str) -> str:
    """The expression for the kind of a personal value; an identifier has its kind in a field."""
    return f"{source}.kind" if field.pii == "identifier" else f'"{field.pii}"'


def _convert(description: Description, building: _Building, record: RecordType) -> list[str]:
    personal = description.personal(record)
    rows = [
        f"def {snake(record.name)}(model: {record.name}Input, seal: Sealer) -> {record.name}:",
    ]
    if personal:
        rows.append("    event_id = model.meta.event_id")
        rows.append(f"    subject = {_subject(record)}")
    return rows + lines("return ", building.build(record, "model"), indent=4)


def _convert_part(building: _Building, part: RecordType) -> list[str]:
    return [
        f"def {snake(part.name)}(model: {part.name}Input) -> {part.name}:",
        *lines("return ", building.build(part, "model"), indent=4),
    ]


def _subject(record: RecordType) -> str:
    """The expression for the subject whose key encrypts the event's personal fields."""
    fields = {field.name: field for field in record.fields}
    return " or ".join(
        _subject_of_field(fields[name])
        for name in (record.sealed_under or key_fields(record.name))
        if name in fields
    )


def _subject_of_field(field: Field) -> str:
    """The expression for a subject that one field names: an id, or a location."""
    value = f"model.{field.name}"
    if field.shape == "id":
        return value
    located = f"location_subject({value})"
    return f"({value} and {located})" if field.nullable else located


def _subject_function(description: Description, record: RecordType) -> list[str]:
    held = [
        f"model.{field.name}"
        for field in record.fields
        if field.pii or field.moved_to or (field.of in description.parts and field.of != SHARED)
        if field.pii or field.moved_to or description.personal(description.parts[str(field.of)])
    ]
    return [
        f"def {snake(record.name)}_subject(model: {record.name}Input) -> bytes | None:",
        *lines("held = ", Bracket("(", held, ",)" if len(held) == 1 else ")"), indent=4),
        "    if not any(held):",
        "        return None",
        f"    return {_subject(record)}",
    ]


def _meta(description: Description) -> str:
    building = _Building(description)
    record = description.parts[SHARED]
    rows = ["def meta_of(model: MetaInput) -> Meta:"]
    rows += lines("return ", building.build(record, "model"), indent=4)
    imports = import_from("schemas.generated.events.parts", sorted(building.classes))
    imports += import_from("schemas.generated.inputs.parts", ["MetaInput"])
    imports += [*import_from("schemas.wire.event_builders", ["by_name"]), ""]
    imports += constructors(building.classes)
    return module("The envelope, from what a producer sent.", imports, [rows])


def _topic(description: Description, topic: Topic) -> str:
    building = _Building(description)
    records = description.events_of(topic)
    own = [
        part for part in parts_with_functions(description, topic) if not description.personal(part)
    ]
    blocks = [_convert_part(building, part) for part in own]
    for record in records:
        blocks.append(_convert(description, building, record))
        if description.personal(record):
            blocks.append(_subject_function(description, record))
    parts = (building.classes & set(description.parts)) - {SHARED}
    text = "\n".join(row for block in blocks for row in block)
    located = ["location_subject"] if "location_subject(" in text else []
    imports = imports_from(
        ("schemas.generated.conversions.meta", ["meta_of"]),
        (f"schemas.generated.events.{module_of(topic)}", topic.events),
        ("schemas.generated.events.parts", sorted(parts)),
        ("schemas.generated.inputs.parts", [f"{part.name}Input" for part in own]),
        (f"schemas.generated.inputs.{module_of(topic)}", [f"{name}Input" for name in topic.events]),
        ("schemas.locations", located),
        ("schemas.rejection", ["Sealer", *sorted(building.helpers)]),
        ("schemas.wire.event_builders", ["by_name"]),
    )
    imports += ["", *constructors(building.classes)]
    return module(f"The events of {topic.name}, from what producers sent.", imports, blocks)


def _package(description: Description) -> str:
    topics = producer_topics()
    imports = ["from collections.abc import Callable", "from typing import Any", ""]
    imports += import_from("schemas.generated.conversions", [module_of(topic) for topic in topics])
    imports += import_from("schemas.generated.events", ["Event"])
    imports += import_from("schemas.rejection", ["Sealer"])
    events = [(name, topic) for topic in topics for name in topic.events]
    body = ["TO_EVENT: dict[str, Callable[[Any, Sealer], Event]] = {"]
    body += [f'    "{name}": {module_of(topic)}.{snake(name)},' for name, topic in events]
    body += ["}", "SUBJECT_OF: dict[str, Callable[[Any], bytes | None]] = {"]
    body += [
        f'    "{name}": {module_of(topic)}.{snake(name)}_subject,'
        for name, topic in events
        if description.personal(description.events[name])
    ]
    text = module("Checked inputs become events.", imports, [])
    return text + "\n" + "\n".join([*body, "}"]) + "\n"
