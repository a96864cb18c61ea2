"""Do two records of one event id say the same, but for what the gateway filled in itself?

What a producer left out is filled in when the record is made (`unless_said`), and indexes follow
from values (`blind`). When such a filling changes, a resend differs from the record of before
though the producer said the same. So both are compared field by field, without these fields.
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
Shape = dict[str, Any]  # by field that is filled in: None; by field that holds such: their shape


def may_be_filled(name: str) -> bool:
    """Whether the gateway fills in anything of such an event."""
    return bool(_shape_of(name))


def told_again(first: bytes, later: bytes) -> bool:
    """Whether a record says what the first of its id said; both as they lie in Kafka.

    Where one of them cannot be read, it does not.
    """
    try:
        one, other = codec.decode(first), codec.decode(later)
    except Undecodable:
        return False
    return one.NAME == other.NAME and said(one) == said(other)


def said(event: Event) -> Any:
    """What the producer said: the event as a record, without what the gateway fills in."""
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
    """Empty where nothing of the record is filled in."""
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
    """The names of the types in a field's type."""
    if isinstance(kind, list):
        return [name for branch in kind for name in _named(branch)]
    if isinstance(kind, dict):
        return _named(kind.get("items", kind.get("type")))
    return [kind]
