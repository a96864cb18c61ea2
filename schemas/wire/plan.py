"""Compiles an Avro schema to a plan of nested tuples, from which readers and writers are made.

    ("record", class, names, plans)   ("optional", (plan,))   ("array", (plan,))   ("fixed", size)
    ("enum", symbols)   ("integer", lowest, highest)   ("bytes",)  ("string",)  ("double",)
    ("boolean",)   ("constant", value)   ("code", form, upper)

`names` are the fields in wire order, then fields that an older schema lacks: a constant takes no
bytes; an empty list is a new one each time. The bounds of an integer follow from its logical type.
A code is a string of which `form` gives the normal form (`schemas.codes`); `upper`: it has no lower
case letters. `form` is called only for a text that is not printable ASCII without spaces around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.codes import Form, forms_of, upper_code
from schemas.generated import events
from schemas.generated.events import parts
from schemas.wire import bounds
from schemas.wire.added_fields import ADDED

Plan = tuple[Any, ...]
Meaning = str | Form | Mapping[str, Any] | None
"""Attribute `is` of a field, or the function that makes a code's normal form."""
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


def plan(schema: dict[str, Any]) -> Plan:
    """The plan of an event's schema; TypeError for an Avro type that is not supported."""
    return _record(schema, getattr(events, schema["name"]), {})


def _record(schema: dict[str, Any], cls: type, named: dict[str, Any]) -> Plan:
    fields, added = schema["fields"], schema.get(ADDED, {})
    forms = forms_of(schema["name"])
    plans = tuple(
        _value(one["type"], forms.get(one["name"]) or one.get("is"), named) for one in fields
    )
    constants = tuple(("constant", default) for default in added.values())
    return ("record", cls, (*(one["name"] for one in fields), *added), plans + constants)


def _value(kind: Any, meaning: Meaning, named: dict[str, Any]) -> Plan:
    if isinstance(kind, str) and kind in named:
        kind = named[kind]
    if isinstance(kind, list):
        if len(kind) != 2 or kind[0] != "null":
            raise TypeError("a union must be null and one other type")
        return ("optional", (_value(kind[1], meaning, named),))
    if isinstance(kind, str):
        return _simple(kind, meaning)
    if "name" in kind:
        named[f"{kind.get('namespace', 'hitotsu')}.{kind['name']}"] = kind
    match kind["type"]:
        case "record":
            return _record(kind, getattr(parts, kind["name"]), named)
        case "array":
            return (
                "array",
                (_value(kind["items"], meaning if callable(meaning) else None, named),),
            )
        case "fixed":
            return ("fixed", kind["size"])
        case "enum":
            return ("enum", tuple(kind["symbols"]))
        case other:
            raise TypeError(f"unsupported Avro type {other}")


def _simple(kind: str, meaning: Meaning) -> Plan:
    if kind == "string" and callable(meaning):
        return ("code", meaning, meaning is upper_code)
    match kind, meaning:
        case "int", "date":
            return ("integer", bounds.FIRST_DAY, bounds.LAST_DAY - 1)
        case "int", _:
            return ("integer", bounds.INT_MIN, bounds.INT_MAX)
        case "long", "instant":
            return ("integer", bounds.EARLIEST, bounds.LATEST - 1)
        case "long", _:
            return ("integer", _LONG_MIN, _LONG_MAX)
        case (("bytes" | "string" | "double" | "boolean"), _):
            return (kind,)
        case _:
            raise TypeError(f"unsupported Avro type {kind}")
