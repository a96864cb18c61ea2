"""The error with which an event is refused at intake: a field and a reason, never the value."""

import re
from typing import Protocol

from pydantic import ValidationError

_SUBJECT = re.compile(r"^(Input|String|List|Value|Number) should ")
_CONTROL = "must not contain control characters"
ERASED = "the person was erased"


class Rejected(Exception):
    """An event is refused. `field`: dotted path of the wrong field, empty for the whole event."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class Sealer(Protocol):
    """What generated conversions need to encrypt personal fields; ValueError says why it fails."""

    def seal(self, event_id: bytes, subject: bytes, field: str, kind: str, clear: str) -> bytes:
        """The value `clear`, encrypted with the key of its subject."""

    def index(self, kind: str, clear: str) -> bytes:
        """The blind index of the value's normal form."""


def rejection(error: ValidationError) -> Rejected:
    """The first error of a pydantic validation as `Rejected`, without the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(step)[:100] for step in first["loc"])[:300]
    reason = _REASONS.get(first["type"]) or _SUBJECT.sub("must ", first["msg"])
    if first["type"] == "string_pattern_mismatch":
        reason = _CONTROL
    return Rejected(_printable(field), _printable(reason))


def sealed(
    sealer: Sealer, event_id: bytes, subject: bytes, field: str, kind: str, clear: str
) -> bytes:
    """The encrypted value; raises Rejected, naming the field, if it cannot be encrypted."""
    try:
        return sealer.seal(event_id, subject, field, kind, clear)
    except ValueError as error:
        raise Rejected(_path(field), str(error)) from None


def indexed(sealer: Sealer, field: str, kind: str, clear: str) -> bytes:
    """The blind index; raises Rejected, naming the field, if the value is malformed."""
    try:
        return sealer.index(kind, clear)
    except ValueError as error:
        raise Rejected(_path(field), str(error)) from None


def sealed_or_none(
    sealer: Sealer, event_id: bytes, subject: bytes, field: str, kind: str, clear: str | None
) -> bytes | None:
    """As `sealed`; None for None."""
    return None if clear is None else sealed(sealer, event_id, subject, field, kind, clear)


def sealed_note(
    sealer: Sealer, event_id: bytes, subject: bytes, field: str, moved: str | None, note: str | None
) -> bytes | None:
    """The encrypted note of an event, for typed text: `moved`, then `note`; None if both are empty.

    `moved`: text that arrived in an older, unsealed field. None also if the person was erased: the
    event itself is kept, the words about the person are not.
    """
    text = note if not moved or moved == note else f"{moved}\n{note}" if note else moved
    try:
        return sealed_or_none(sealer, event_id, subject, field, "free_text", text)
    except Rejected as rejected:
        if rejected.reason == ERASED:
            return None
        raise


def indexed_or_none(sealer: Sealer, field: str, kind: str, clear: str | None) -> bytes | None:
    """As `indexed`; None for None."""
    return None if clear is None else indexed(sealer, field, kind, clear)


def _path(field: str) -> str:
    """The path in pydantic's form: identifiers[0].value becomes identifiers.0.value."""
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
