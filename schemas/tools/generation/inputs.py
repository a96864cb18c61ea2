"""Generates the input models: pydantic classes that validate the JSON that producers send."""

from schemas.declarations import Description, Enum, Field, RecordType, module_of
from schemas.tools.generation.events import all_order, in_order, parts_used
from schemas.tools.generation.layout import (
    Bracket,
    call,
    import_from,
    imports_from,
    lines,
    module,
)
from schemas.topics import DEAD_LETTERS, TOPICS, Topic

_PRIMITIVE = {"string": "Short", "double": "float", "boolean": "bool", "id": "Id", "bytes": "Short"}
_NUMBER = {"int": "Int", "long": "Big"}
_MEANING = {
    "instant": "Instant",
    "date": "Date",
    "money": "Money",
    "code": "Code",
    "text": "Long",
    "currency": "Currency",
    "latitude": "Latitude",
    "longitude": "Longitude",
    "scale": "Scale",
    "basis_points": "BasisPoints",
    "time_zone": "TimeZone",
    "time_of_day": "DayStart",
}
_PERSONAL = {"free_text": "Long", "birth_date": "DateText"}
_UNIQUE = {
    ("line_no",): "ByLineNo",
    ("line_no", "sku"): "ByLineNoAndSku",
    ("lot_id",): "ByLotId",
    ("rate_basis_points",): "ByRate",
    ("sku", "location_id"): "BySkuAndLocation",
}
_BUILT_IN = ("bool", "float")


def files(description: Description) -> dict[str, str]:
    """Generated files by path below schemas/."""
    made = {
        "inputs/parts.py": _parts(description),
        "inputs/vocabulary.py": _vocabulary(description),
        "inputs/__init__.py": _package(description),
    }
    for topic in producer_topics():
        made[f"inputs/{module_of(topic)}.py"] = _topic(description, topic)
    return made


def producer_topics() -> list[Topic]:
    """All topics except the dead letters', which only Hitotsu writes."""
    return [topic for topic in TOPICS.values() if topic.name != DEAD_LETTERS]


class _Models:
    """Writes model classes, and collects the names that these import."""

    def __init__(self) -> None:
        self.fields: set[str] = set()
        self.words: set[str] = set()
        self.uses_field = False

    def model(self, record: RecordType, event: bool) -> list[str]:
        rows = [f"class {record.name}Input(Edge):", f'    """{record.doc}"""', ""]
        if event:
            rows.append(f'    type: Literal["{record.name}"]')
        for field in record.fields:
            if not field.blind:
                rows += self._row(field)
        return rows

    def _row(self, field: Field) -> list[str]:
        optional = field.nullable or field.moved_to
        kind = f"{self._type(field)} | None" if optional else self._type(field)
        default = self._default(field)
        if field.pii or field.moved_to or field.shape == "array":
            return self._field_row(field, kind, default)
        return [f"    {field.name}: {kind}" + (f" = {default}" if default else "")]

    def _field_row(self, field: Field, kind: str, default: str | None) -> list[str]:
        self.uses_field = True
        arguments = []
        if default:
            arguments.append("default_factory=list" if default == "[]" else f"default={default}")
        if field.shape == "array":
            arguments += [f"min_length={field.at_least}"] if field.at_least else []
            arguments.append("max_length=500")
        if field.pii or field.moved_to:
            arguments.append("repr=False")
        if field.unique:
            self.fields.add(_UNIQUE[field.unique])
            kind = f"Annotated[{kind}, {_UNIQUE[field.unique]}]"
        return lines(f"{field.name}: {kind} = ", call("Field", *arguments), indent=4)

    def _default(self, field: Field) -> str | None:
        if field.unless_said is not None:
            return str(field.unless_said)
        if field.moved_to:
            return "None"
        if not field.has_default:
            return None
        if isinstance(field.default, str):
            return f'"{field.default}"'
        return str(field.default)

    def _type(self, field: Field) -> str:
        if field.shape == "enum":
            self.words.add(str(field.of))
            return str(field.of)
        if field.shape == "record":
            return f"{field.of}Input"
        if field.shape == "array":
            if field.item == "record":
                return f"list[{field.of}Input]"
            item = {"code": "Code", "barcode": "Barcode"}.get(field.meaning or "")
            item = item or _PRIMITIVE[str(field.item)]
            return f"list[{self._known(item)}]"
        if field.pii:
            return self._known(_PERSONAL.get(field.pii, "Short"))
        return self._known(_plain(field))

    def _known(self, name: str) -> str:
        if name not in _BUILT_IN:
            self.fields.add(name)
        return name


def _plain(field: Field) -> str:
    if field.meaning in _MEANING:
        return _MEANING[str(field.meaning)]
    if field.meaning == "ordinal" and field.at_least == 0:
        return "IntCount"
    if field.shape in _NUMBER:
        kind = (field.meaning or "").capitalize()
        return _NUMBER[field.shape] + kind
    return _PRIMITIVE[field.shape]


def _imports(models: _Models, literal: bool, annotated: bool, parts: list[str]) -> list[str]:
    typing = [*(["Annotated"] if annotated else []), *(["Literal"] if literal else [])]
    imports = [f"from typing import {', '.join(typing)}", ""] if typing else []
    if models.uses_field:
        imports += ["from pydantic import Field", ""]
    return imports + imports_from(
        ("schemas.fields", ["Edge", *sorted(models.fields)]),
        ("schemas.generated.inputs.parts", [f"{name}Input" for name in parts]),
        ("schemas.generated.inputs.vocabulary", sorted(models.words)),
    )


def _has_unique(records: list[RecordType]) -> bool:
    return any(field.unique for record in records for field in record.fields)


def _parts(description: Description) -> str:
    models = _Models()
    records = in_order(description)
    blocks = [models.model(record, False) for record in records]
    imports = _imports(models, False, _has_unique(records), [])
    return module("What events are made of, as producers send it.", imports, blocks)


def _topic(description: Description, topic: Topic) -> str:
    models = _Models()
    records = description.events_of(topic)
    blocks = [models.model(record, True) for record in records]
    parts = sorted(parts_used(description, topic))
    imports = _imports(models, True, _has_unique(records), parts)
    return module(f"The events of {topic.name}, as producers send them.", imports, blocks)


def _vocabulary(description: Description) -> str:
    def words(enum: Enum) -> list[str]:
        literal = Bracket("Literal[", [f'"{symbol}"' for symbol in enum.symbols], "]")
        return lines(f"{enum.name} = ", literal)

    text = module("The closed vocabularies.", ["from typing import Literal"], [])
    return text + "\n" + "\n".join(r for e in description.enums.values() for r in words(e)) + "\n"


def _package(description: Description) -> str:
    names = sorted(name for topic in producer_topics() for name in topic.events)
    imports = ["import json", "from collections.abc import Callable", "from pathlib import Path"]
    imports += ["from typing import Any", "", "from pydantic import ValidationError", ""]
    imports += import_from("schemas.fields", ["Edge"])
    imports += import_from("schemas.generated.conversions", ["SUBJECT_OF", "TO_EVENT"])
    imports += imports_from(
        ("schemas.sent_codes", ["with_normal_codes"]),
        ("schemas.generated.events", ["Event"]),
        ("schemas.generated.inputs.parts", [f"{name}Input" for name in description.parts]),
        *(
            (f"schemas.generated.inputs.{module_of(t)}", [f"{event}Input" for event in t.events])
            for t in producer_topics()
        ),
        ("schemas.rejection", ["Rejected", "Sealer", "rejection"]),
    )
    union = ["EventInput = (", f"    {names[0]}Input", *(f"    | {n}Input" for n in names[1:]), ")"]
    table = ["INPUTS: dict[str, type[EventInput]] = {"]
    table += [*(f'    "{name}": {name}Input,' for name in names), "}"]
    personal = [name for name in names if description.personal(description.events[name])]
    held = lines("NAMES_WITH_PERSONAL = ", call("frozenset", _set(personal)))
    exported = ["INPUTS", "NAMES_WITH_PERSONAL", "EventInput", "Rejected", "Sealer"]
    exported += [f"{name}Input" for name in [*names, *description.parts]]
    exported += ["example", "parse", "subject_of", "to_event"]
    everything = ["__all__ = [", *(f'    "{n}",' for n in sorted(exported, key=all_order)), "]"]
    text = module("What producers send, and how it becomes events.", imports, [])
    blocks = [union, table, held, everything]
    return text + "\n" + "\n\n".join("\n".join(block) for block in blocks) + "\n" + _FUNCTIONS


def _set(names: list[str]) -> Bracket:
    return Bracket("{", [f'"{name}"' for name in names], "}")


_FUNCTIONS = '''

def parse(obj: object) -> EventInput:
    """Validates an event's JSON, with its codes in their normal form; raises Rejected with the
    first wrong field and the reason.
    """
    if isinstance(obj, Edge) and isinstance(obj, EventInput):
        return obj
    if not isinstance(obj, dict):
        raise Rejected("", "must be an object")
    name = obj.get("type")
    model = INPUTS.get(name) if isinstance(name, str) else None
    if model is None:
        raise Rejected("type", "is required" if name is None else "is not the name of an event")
    try:
        return model.model_validate(with_normal_codes(str(name), obj))
    except ValidationError as error:
        raise rejection(error) from None


def to_event(model: EventInput, seal: Sealer) -> Event:
    """Converts the validated input to its event; personal fields are encrypted."""
    convert: Callable[[Any, Sealer], Event] = TO_EVENT[model.type]
    return convert(model, seal)


def subject_of(model: EventInput) -> bytes | None:
    """The subject whose key encrypts the input's personal values; None if it has none."""
    subject: Callable[[Any], bytes | None] | None = SUBJECT_OF.get(model.type)
    return None if subject is None else subject(model)


def example(name: str) -> dict[str, Any]:
    """A JSON example of the event, as sent to `POST /v1/events`; raises Rejected if unknown."""
    if name not in INPUTS:
        raise Rejected("type", "is not the name of an event")
    path = Path(__file__).parent.parent / "examples" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
'''
