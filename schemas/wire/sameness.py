"""Compares two records of an event id by the fields that the producer sent.

Codes are compared in their normal form, in which every record is read (`schemas.codes`).

The gateway fills in fields that a producer left out (`unless_said` in the schema), computes blind
indexes (`blind`), and moves text of older fields to a sealed note (`moved_to`). If such a default
changes, or a record is older than the move, a resend has other bytes although the producer sent the
same. So records are compared field by field, without those fields.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from schemas.declarations import NAMESPACE, sources
from schemas.generated.events import Event
from schemas.generated.records import TO_RECORD
from schemas.wire import codec
from schemas.wire.codec import Undecodable

_FILLED = ("blind", "unless_said")
# Field name to None when the gateway fills it in or moves it, or to the shape of the nested record.
Shape = dict[str, Any]


def same_as_produced(first: bytes, later: bytes) -> bool:
    """Whether two encoded records are equal in all fields that the producer sent.

    False if either cannot be decoded.
    """
    try:
        one, other = codec.decode(first), codec.decode(later)
    except Undecodable:
        return False
    return (
        one.NAME == other.NAME
        and produced_fields(one) == produced_fields(other)
        and all(_same_text(one, other, *names) for names in _moved(one.NAME))
    )


def produced_fields(event: Event) -> Any:
    """The event as a dict, without the fields that the gateway fills in or moves."""
    return _without(TO_RECORD[event.NAME](event), _shape_of(event.NAME))


def _same_text(one: Event, other: Event, old: str, note: str) -> bool:
    """Whether typed texts are equal as far as they can be compared: the values of field `old` with
    each other, and those of the sealed field `note`.

    If a field is empty in one of the events, it counts as equal: a clear text cannot be compared
    with a sealed one without keys.
    """
    return all(
        not mine or not theirs or mine == theirs
        for mine, theirs in ((getattr(one, name), getattr(other, name)) for name in (old, note))
    )


@cache
def _moved(name: str) -> tuple[tuple[str, str], ...]:
    """Pairs of an older text field and the sealed field to which the gateway moves its value."""
    fields = sources()[NAMESPACE + name]["fields"]
    return tuple((field["name"], field["moved_to"]) for field in fields if "moved_to" in field)


def _without(value: Any, shape: Shape) -> Any:
    if isinstance(value, list):
        return [_without(each, shape) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, part in value.items():
        within = shape.get(name, _PLAIN)
        if within is not None:
            kept[name] = _without(part, within) if within else part
    return kept


_PLAIN: Shape = {}


@cache
def _shape_of(name: str) -> Shape:
    """The fields that the gateway fills in or moves, by name; empty if there are none."""
    schemas = sources()
    shape: Shape = {}
    for field in schemas[NAMESPACE + name]["fields"]:
        if any(filled in field for filled in _FILLED):
            shape[field["name"]] = None
            continue
        if "moved_to" in field:
            shape[field["name"]] = shape[field["moved_to"]] = None
            continue
        for kind in _named(field["type"]):
            known = schemas.get(kind, {})
            if known.get("type") == "record" and (within := _shape_of(kind.split(".")[-1])):
                shape[field["name"]] = within
    return shape


def _named(kind: Any) -> list[str]:
    """The names of the record types in a field's type."""
    if isinstance(kind, list):
        return [name for branch in kind for name in _named(branch)]
    if isinstance(kind, dict):
        return _named(kind.get("items", kind.get("type")))
    return [kind]
