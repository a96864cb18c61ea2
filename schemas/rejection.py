"""The error with which the edge refuses an event: a field and a reason, never the value."""

import re
from typing import Protocol

from pydantic import ValidationError

_SUBJECT = re.compile(r"^(Input|String|List|Value|Number) should ")
_CONTROL = "must not hold control characters"
CURRENCY = r"^[A-Z]{3}$"
ERASED = "the person was erased"


class Rejected(Exception):
    """An event was refused; `field` names the wrong field, `reason` says why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class Sealer(Protocol):
    """What the generated conversions need in order to seal; ValueError says why a value cannot be
    sealed.
    """

    def seal(self, event_id: bytes, subject: bytes, field: str, kind: str, clear: str) -> bytes:
        """The clear value, encrypted for its subject."""

    def index(self, kind: str, clear: str) -> bytes:
        """The keyed blind index of the normalised value."""


def rejection(error: ValidationError) -> Rejected:
    """The first error of a pydantic validation, as field and reason without the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(step)[:100] for step in first["loc"])[:300]
    reason = _REASONS.get(first["type"]) or _SUBJECT.sub("must ", first["msg"])
    if first["type"] == "string_pattern_mismatch":
        pattern = first.get("ctx", {}).get("pattern")
        reason = "must be three capital letters" if pattern == CURRENCY else _CONTROL
    return Rejected(_printable(field), _printable(reason))


def sealed(
    sealer: Sealer, event_id: bytes, subject: bytes, field: str, kind: str, clear: str
) -> bytes:
    """The sealed value; raises Rejected, naming the field, when it cannot be sealed."""
    try:
        return sealer.seal(event_id, subject, field, kind, clear)
    except ValueError as error:
        raise Rejected(_path(field), str(error)) from None


def indexed(sealer: Sealer, field: str, kind: str, clear: str) -> bytes:
    """The blind index; raises Rejected, naming the field, when the value is not valid for
    its kind.
    """
    try:
        return sealer.index(kind, clear)
    except ValueError as error:
        raise Rejected(_path(field), str(error)) from None


def sealed_or_none(
    sealer: Sealer, event_id: bytes, subject: bytes, field: str, kind: str, clear: str | None
) -> bytes | None:
    """As `sealed`; None stays None."""
    return None if clear is None else sealed(sealer, event_id, subject, field, kind, clear)


def sealed_note(
    sealer: Sealer, event_id: bytes, subject: bytes, field: str, moved: str | None, note: str | None
) -> bytes | None:
    """What was typed, sealed: the text that arrived in a field of before, then the note.

    Of somebody who was erased it is left out: what happened is a fact, the words are about a
    person.
    """
    text = note if not moved or moved == note else f"{moved}\n{note}" if note else moved
    try:
        return sealed_or_none(sealer, event_id, subject, field, "free_text", text)
    except Rejected as rejected:
        if rejected.reason == ERASED:
            return None
        raise


def indexed_or_none(sealer: Sealer, field: str, kind: str, clear: str | None) -> bytes | None:
    """As `indexed`; None stays None."""
    return None if clear is None else indexed(sealer, field, kind, clear)


def _path(field: str) -> str:
    """Converts identifiers[0].value to identifiers.0.value, the form of pydantic's paths."""
    return field.replace("[", ".").replace("]", "")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


_REASONS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this event",
    "string_unicode": "is not valid Unicode",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be an array",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
}
