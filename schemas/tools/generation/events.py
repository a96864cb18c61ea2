"""Generates a keyword-only dataclass for every event and nested record."""

from schemas.declarations import Description, Field, RecordType, module_of
from schemas.tools.generation.layout import import_from, imports_from, module
from schemas.topics import TOPICS, Topic

_PYTHON = {"string": "str", "int": "int", "long": "int", "double": "float", "boolean": "bool"}
_PYTHON |= {"bytes": "bytes", "id": "bytes", "enum": "str"}


def files(description: Description) -> dict[str, str]:
    """Generated files by path below schemas/."""
    made = {"events/parts.py": _parts(description), "events/__init__.py": _package(description)}
    for topic in TOPICS.values():
        made[f"events/{module_of(topic)}.py"] = _topic(description, topic)
    return made


def python_type(field: Field) -> str:
    """The field's type annotation in the generated class."""
    if field.shape == "array":
        name = f"list[{field.of if field.item == 'record' else _PYTHON[str(field.item)]}]"
    else:
        name = str(field.of) if field.shape == "record" else _PYTHON[field.shape]
    return f"{name} | None" if field.nullable else name


def in_order(description: Description) -> list[RecordType]:
    """The nested records, in an order in which a record comes after those that it contains."""
    done: dict[str, RecordType] = {}

    def visit(record: RecordType) -> None:
        for field in record.fields:
            if field.of in description.parts:
                visit(description.parts[str(field.of)])
        done.setdefault(record.name, record)

    for record in description.parts.values():
        visit(record)
    return list(done.values())


def parts_used(description: Description, topic: Topic) -> set[str]:
    """Names of the nested records that events of the topic directly contain."""
    return {
        str(field.of)
        for record in description.events_of(topic)
        for field in record.fields
        if field.of in description.parts
    }


def has_own_function(part: RecordType) -> bool:
    """Whether a part is converted by a function of its own: parts of parts make functions long."""
    return any(field.item == "record" for field in part.fields)


def parts_with_functions(description: Description, topic: Topic) -> list[RecordType]:
    """The parts of the topic's events that are converted by functions of their own."""
    parts = (description.parts[name] for name in sorted(parts_used(description, topic)))
    return [part for part in parts if has_own_function(part)]


def _class(record: RecordType, topic: Topic | None) -> list[str]:
    rows = [
        "@dataclass(slots=True, kw_only=True)",
        f"class {record.name}:",
        f'    """{record.doc}"""',
        "",
    ]
    if topic:
        rows.append(f'    NAME: ClassVar[str] = "{record.name}"')
        rows.append(f'    TOPIC: ClassVar[str] = "{topic.name}"')
    return rows + [
        f"    {field.name}: {python_type(field)}{_default(field)}" for field in record.fields
    ]


def _default(field: Field) -> str:
    if not field.has_default:
        return ""
    if field.shape == "array":
        return " = field(default_factory=list)"
    return ' = "' + field.default + '"' if isinstance(field.default, str) else f" = {field.default}"


def _imports(records: list[RecordType]) -> str:
    lists = any(f.shape == "array" and f.has_default for record in records for f in record.fields)
    return "from dataclasses import dataclass" + (", field" if lists else "")


def _parts(description: Description) -> str:
    records = in_order(description)
    return module(
        "What events are made of: the envelope, lines, lots, identifiers.",
        [_imports(records)],
        [_class(record, None) for record in records],
    )


def _topic(description: Description, topic: Topic) -> str:
    records = description.events_of(topic)
    imports = [_imports(records), "from typing import ClassVar", ""]
    imports += import_from("schemas.generated.events.parts", sorted(parts_used(description, topic)))
    return module(
        f"The events of {topic.name}.", imports, [_class(record, topic) for record in records]
    )


def _package(description: Description) -> str:
    imports = imports_from(
        ("schemas.generated.events.parts", [*description.parts]),
        *(
            (f"schemas.generated.events.{module_of(topic)}", topic.events)
            for topic in TOPICS.values()
        ),
    )
    names = sorted(description.events)
    union = ["Event = (", f"    {names[0]}", *(f"    | {name}" for name in names[1:]), ")"]
    table = ["EVENTS: dict[str, type[Event]] = {", *(f'    "{n}": {n},' for n in names), "}"]
    exported = sorted(["EVENTS", "Event", *names, *description.parts], key=all_order)
    everything = ["__all__ = [", *(f'    "{name}",' for name in exported), "]"]
    text = module("Everything that can happen, as typed classes.", imports, [])
    return (
        text + "\n" + "\n\n".join("\n".join(block) for block in (union, table, everything)) + "\n"
    )


def all_order(name: str) -> tuple[int, str]:
    """Sort key of names in `__all__`: constants first."""
    return (0 if name.isupper() else 1), name
