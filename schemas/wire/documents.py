"""Which document does an event tell, and what does the document say?

An event id names a sending; a document is what is told, whoever sends it and however often. A sale
is a document under its transaction. Other events tell one where they carry a `document_id`: its
record key, location and line belong to the key, since slip numbers begin anew in every store. The
`document` attribute of an .avsc file declares another `key`, and which fields must be the `same`
for two events to say the same: `lines(sku,quantity)` are the lines as a multiset of these fields.
Without `same`, all fields count that the producer sends about the goods: none of the envelope,
personal or filled in.

Keys and contents are stored for ever, so what they are computed from must never change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from xxhash import xxh3_64_intdigest

from schemas.declarations import LINES_OF, Description, Field, RecordType, describe
from schemas.generated.events import EVENTS, Event
from schemas.generated.records import TO_RECORD
from schemas.topics import EVENT_SCHEMAS, key_fields

Document = tuple[bytes, int]
"""The document's key (16 bytes), and the signed 64-bit hash of its content."""
Identify = Callable[[Any], Document | None]
ID, LINE = "document_id", "document_line"
NEVER_SAME = ("meta", "profile_id", "returned_by")  # who tells it, and who came to the counter


@dataclass(frozen=True, slots=True)
class DocumentRule:
    """How the events of one type name documents. `same` None: all fields but the key's."""

    key: tuple[str, ...]
    same: tuple[str, ...] | None

    @property
    def may_lack(self) -> str:
        """The field without which an event tells no document."""
        return ID if ID in self.key else self.key[0]


def rule_of(schema: dict[str, Any], record_key: Sequence[str]) -> DocumentRule | None:
    """The rule in an event's .avsc file; None when its events tell no documents."""
    names = {field["name"] for field in schema["fields"]}
    declared = schema.get("document", {})
    if not declared and ID not in names:
        return None
    usual = [name for name in (*record_key, "location_id", ID, LINE) if name in names]
    same = declared.get("same")
    return DocumentRule(
        tuple(declared.get("key", dict.fromkeys(usual))), None if same is None else tuple(same)
    )


def is_id(rule: DocumentRule, record: RecordType) -> bool:
    """Whether the key is one id: then that id is the document's key itself.

    The lint sees to it that one event type alone has such a key: ids of two could be equal.
    """
    return [field.shape for field in record.fields if field.name in rule.key] == ["id"]


def _compiled(name: str, rule: DocumentRule, description: Description) -> Identify:
    """A function that is generated, because every sale goes through it."""
    source = [f"    if event.{rule.may_lack} is None:", "        return None"]
    values = ", ".join(f"event.{field}" for field in rule.key)
    scope: dict[str, Any] = {"sha256": sha256, "signed": _signed, "hash": xxh3_64_intdigest}
    record = description.events[name]
    if is_id(rule, record):
        key = f"event.{rule.key[0]}"
    else:
        key = f"sha256(repr(({name!r}, {values},)).encode()).digest()[:16]"
    if rule.same is None:
        scope["content"] = _content(record, rule.key, description)
        said = "content(event)"
    else:
        said = f'f"{" ".join(map(_said, rule.same))}"'
    source.append(f"    said = {said}")
    source.append(f"    return {key}, signed(hash(said.encode()))")
    exec("def identify(event):\n" + "\n".join(source), scope)  # noqa: S102 - declared names alone
    identify: Identify = scope["identify"]
    return identify


def _said(field: str) -> str:
    """The part of a formatted text for a field, or for lines as a multiset."""
    lines = LINES_OF.fullmatch(field)
    if lines is None:
        return f"{{event.{field}!r}}"
    parts = ",".join(f"{{one.{part}!r}}" for part in lines[2].split(","))
    return f"{{' '.join(sorted([f'{parts}' for one in event.{lines[1]}]))}}"


def _signed(digest: int) -> int:
    return digest - (1 << 64) if digest >> 63 else digest


def _content(
    record: RecordType, key: Sequence[str], description: Description
) -> Callable[[Event], str]:
    """A text of all that counts. A field that a version lacked counts as one that says nothing."""
    to_record = TO_RECORD[record.name]
    counted = [
        field for field in record.fields if field.name not in (*key, *NEVER_SAME) and _counts(field)
    ]
    moved = {field.moved_to for field in record.fields}
    kept = [field for field in counted if field.name not in moved]
    return lambda event: repr(_plain(to_record(event), kept, description))


def _counts(field: Field) -> bool:
    unsaid = field.pii, field.blind, field.moved_to, field.unless_said
    return all(one is None for one in unsaid)


def _plain(record: dict[str, Any], fields: Sequence[Field], description: Description) -> Any:
    """Names and values, without those that are as if nothing was said."""
    found = []
    for field in fields:
        value = record.get(field.name)
        if value is None or (field.has_default and value == field.default):
            continue
        part = description.parts.get(field.of or "")
        if part is not None:
            within = [one for one in part.fields if _counts(one)]
            if isinstance(value, list):
                value = sorted((_plain(one, within, description) for one in value), key=repr)
            else:
                value = _plain(value, within, description)
        found.append((field.name, value))
    return found


def _all() -> dict[type[Event], Identify]:
    description = describe()
    found: dict[type[Event], Identify] = {}
    for name, schema in EVENT_SCHEMAS.items():
        rule = rule_of(schema, key_fields(name))
        if rule is not None and name in EVENTS:
            found[EVENTS[name]] = _compiled(name, rule, description)
    return found


IDENTIFY: dict[type[Event], Identify] = _all()
"""By event class, for those whose events may tell a document."""


def document_of(event: Event) -> Document | None:
    """The document that the event tells, if it tells one."""
    identify = IDENTIFY.get(type(event))
    return None if identify is None else identify(event)
