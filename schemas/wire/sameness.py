"""Do two records of one event id agree in everything that the producer sent?

The gateway fills in fields that a producer left out (`unless_said` in the schema) and computes
blind indexes (`blind`). If such a default changes, a resend has other bytes although the producer
sent the same. So both records are compared field by field, without those fields.
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
# Field name to None when the gateway fills it in, or to the shape of the nested record.
Shape = dict[str, Any]


def may_be_filled(name: str) -> bool:
    """Whether the gateway fills in any field of this event type."""
    return bool(_shape_of(name))


def same_as_produced(first: bytes, later: bytes) -> bool:
    """Whether two encoded records agree in all fields that the producer sent; False if one is
    unreadable.
    """
    try:
        one, other = codec.decode(first), codec.decode(later)
    except Undecodable:
        return False
    return one.NAME == other.NAME and produced_fields(one) == produced_fields(other)


def produced_fields(event: Event) -> Any:
    """The fields that the producer sent: the event as a dict, without those the gateway
    fills in.
    """
    return _without(TO_RECORD[event.NAME](event), _shape_of(event.NAME))


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
    """The fields that are filled in, by name; empty when there are none."""
    schemas = sources()
    shape: Shape = {}
    for field in schemas[NAMESPACE + name]["fields"]:
        if any(filled in field for filled in _FILLED):
            shape[field["name"]] = None
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
