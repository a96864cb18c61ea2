"""Computes the key and the content of the document (sale, slip …) that an event reports.

The same document may be sent in several events with different event ids, for example by two
systems. So it has a key of its own. A sale's key is its transaction id. Other events have one if
they have a `document_id`: a hash of the event type, the record key and the fields of `ABOUT_SALES`
or `ABOUT_STOCK`. The number alone is no key: slip numbers begin anew in every store, and a slip
with several lines is sent as several events.

The attribute `document` of an .avsc file declares another `key`, or is `false` for an event that
only refers to a document. It also declares the fields that must be the `same` in events of the same
document; `lines(sku,quantity)` compares the lines as a multiset of these fields. Without `same`,
all fields about the goods are compared: not the key, the envelope, fields about persons,
`order_id`, and fields that the gateway fills in. Quantities that are measured are compared as
amounts: 35 with scale 2 is 350 with scale 3.

Keys and content hashes are stored for ever, so their computation must never change.
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
from schemas.measures import comparable
from schemas.topics import EVENT_SCHEMAS, key_fields

Document = tuple[bytes, int]
"""The document's key (16 bytes), and the signed 64-bit hash of its content."""
Identify = Callable[[Any], Document | None]
ID = "document_id"
# fields of a document's key, for events of sales (keyed by transaction) and of stock
ABOUT_SALES = ("line_no", ID, "document_line")
ABOUT_STOCK = ("location_id", "order_id", "transfer_id", "lot", *ABOUT_SALES)
MEASURED = ("quantity", "discrepancy")
"""Fields whose unit and scale the fields `unit` and `scale` beside them tell."""
# not compared: fields about senders and persons, and another name of the sale
NEVER_SAME = ("meta", "profile_id", "returned_by", "order_id")


@dataclass(frozen=True, slots=True)
class DocumentRule:
    """How to identify the documents of an event type.

    `key`: the fields of the document's key. `same`: the fields of its content; None: all about the
    goods, as the module says.
    """

    key: tuple[str, ...]
    same: tuple[str, ...] | None

    @property
    def may_lack(self) -> str:
        """The field of the key that may be null; then the event reports no document."""
        return ID if ID in self.key else self.key[0]


def rule_of(schema: dict[str, Any], record_key: Sequence[str]) -> DocumentRule | None:
    """The rule for an event type, from its .avsc file; None if its events report no documents."""
    names = {field["name"] for field in schema["fields"]}
    declared = schema.get("document", {})
    if declared is False or not (declared or ID in names):
        return None
    about = ABOUT_SALES if "transaction_id" in record_key else ABOUT_STOCK
    usual = dict.fromkeys(name for name in (*record_key, *about) if name in names)
    same = declared.get("same")
    return DocumentRule(tuple(declared.get("key", usual)), None if same is None else tuple(same))


def is_id(rule: DocumentRule, record: RecordType) -> bool:
    """Whether the key is a single id, which is then the document's key itself.

    The lint allows this for only one event type, since ids of two types could be equal.
    """
    return [field.shape for field in record.fields if field.name in rule.key] == ["id"]


def _compiled(name: str, rule: DocumentRule, description: Description) -> Identify:
    """Generates the function that computes key and content; generated, as it runs for all sales."""
    source = [f"    if event.{rule.may_lack} is None:", "        return None"]
    values = ", ".join(f"event.{field}" for field in rule.key)
    scope: dict[str, Any] = {"sha256": sha256, "signed": _signed, "hash": xxh3_64_intdigest}
    scope["comparable"] = comparable
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
    """The part of an f-string for a field, or for lines as a multiset."""
    lines = LINES_OF.fullmatch(field)
    if lines is None:
        return f"{{event.{field}!r}}"
    parts = ",".join(map(_part_said, lines[2].split(",")))
    return f"{{' '.join(sorted([f'{parts}' for one in event.{lines[1]}]))}}"


def _part_said(part: str) -> str:
    if part not in MEASURED:
        return f"{{one.{part}!r}}"
    counted = f"comparable(one.{part}, one.unit, one.scale)"
    return f"{{(one.{part} if one.unit is None and not one.scale else {counted})!r}}"


def _signed(digest: int) -> int:
    return digest - (1 << 64) if digest >> 63 else digest


def _content(
    record: RecordType, key: Sequence[str], description: Description
) -> Callable[[Event], str]:
    """A function that formats an event's compared fields as a text.

    A field that an older schema version lacks is treated like a null or default value.
    """
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
    """Names and values of the fields, without null and default values."""
    found = []
    unit, scale = record.get("unit"), record.get("scale", 0)
    measured = unit is not None or scale
    for field in fields:
        value: Any = record.get(field.name)
        if value is None or (field.has_default and value == field.default):
            continue
        if measured and field.name in ("unit", "scale"):
            continue
        if measured and field.name in MEASURED:
            value = comparable(value, unit, scale)
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
"""By event class: the function that computes the document, for events that may report one."""


def document_of(event: Event) -> Document | None:
    """Key and content hash of the document that the event reports; None if it reports none."""
    identify = IDENTIFY.get(type(event))
    return None if identify is None else identify(event)
