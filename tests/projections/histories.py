"""Histories of a small shop: few customers, items and tills, so that everything collides."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from schemas.declarations import Field, RecordType, describe
from schemas.generated.events import Event, IdentifierObserved, ProfileRegistered, SubjectErased
from schemas.generated.events.parts import Identifier, Meta, Producer
from schemas.generated.records import FROM_RECORD, TO_RECORD
from schemas.wire.codec import key_of
from schemas.wire.documents import document_of

DESCRIPTION = describe()
T0 = 1_750_000_000_000_000
Chance = random.Random


def _id(kind: str, number: int) -> bytes:
    return kind.encode().ljust(8, b"\0") + number.to_bytes(8, "big")


def _ids(kind: str, how_many: int) -> Callable[[Chance], bytes]:
    return lambda chance: _id(kind, chance.randrange(how_many))


def _of(*values: Any) -> Callable[[Chance], Any]:
    return lambda chance: chance.choice(values)


_PROFILE, _PLACE = _ids("profile", 5), _of("GINZA", "UMEDA")
_RULES = [
    json.dumps({"identifiers": kinds})
    for kinds in (
        {"card": {"class": "unique"}, "phone": {"class": "strong", "limit": 2}},
        {
            "account": {"class": "unique"},
            "device": {"class": "strong", "limit": 1, "window_days": 1},
            "email": {"class": "strong", "blocked": [_id("value", 1).hex()]},
            "phone": {"class": "weak"},
        },
        {
            "card": {"class": "unique", "limit": 9},
            "email": {"class": "strong", "limit": 3, "window_days": 1},
            "phone": {"class": "strong", "limit": 8, "window_days": 2},
        },
    )
]
_TEXT = _of("", "a", "b|c", 'd"\\', "お直し", "NULL", "{x,y}")
_BY_NAME: dict[str, Callable[[Chance], Any]] = {
    **dict.fromkeys(
        ("profile_id", "other_profile_id", "to_profile_id", "from_profile_id"), _PROFILE
    ),
    **dict.fromkeys(("location_id", "from_location_id", "to_location_id", "store_id"), _PLACE),
    "transaction_id": _ids("receipt", 4),
    **dict.fromkeys(("inquiry_id", "into_inquiry_id"), _ids("inquiry", 3)),
    "lot_id": _ids("lot", 3),
    "sku": _of("tea", "cup", 'pot "9"'),
    "terminal_id": _of("1", "2"),
    "terminal_epoch": _of(0, 1),
    "terminal_sequence": lambda chance: chance.randint(1, 12),
    "value_index": _ids("value", 4),
    "line_no": _of(1, 2, 3),
    "unit": _of("kg", "KG", "pcs"),
    "scale": _of(0, 0, 1, 3),
    "system": _of("pos", "ec"),
    "category": _of("drinks", "ware"),
    "zone": _of("SHELF", "BACK", "CELLAR"),
    "selling_zone": _of("SHELF", "BACK"),
    "document_id": _of("po", "po 2", "note", "slip"),
    "document_line": _of(1, 2),
    "reference": _of("po", "po 2", " po "),
    "rule_set": _of("identity", "identity", "other"),
    "rule_version": _of("default", "default", "1", "2"),
    "version": _of("default", "1", "2"),
    "rules": _of(*_RULES),
}
_BY_SHAPE: dict[str, Callable[[Chance], Any]] = {
    "string": _TEXT,
    "int": lambda chance: chance.randint(-3, 9),
    "long": lambda chance: chance.randint(-3, 9),
    "double": _of(0.5),
    "boolean": _of(True, False),
    "bytes": lambda chance: chance.randbytes(chance.randint(1, 3)),
    "id": lambda chance: chance.randbytes(16),
}


def _value(field: Field, chance: Chance) -> Any:
    if field.nullable and chance.random() < 0.3:
        return None
    part = DESCRIPTION.parts.get(str(field.of))
    if field.shape == "array":
        many = range(chance.randint(0, 2))
        if part:
            return [_record(part, chance) for _ in many]
        return [_BY_SHAPE[str(field.item)](chance) for _ in many]
    if part:
        return _record(part, chance)
    if field.shape == "enum":
        return chance.choice(DESCRIPTION.enums[str(field.of)].symbols)
    if field.name == "kind" and field.shape == "string":
        return chance.choice(["card", "account", "phone", "email", "device"])
    if field.name in _BY_NAME:
        return _BY_NAME[field.name](chance)
    if field.meaning == "instant":
        return T0 + chance.randint(0, 30) * chance.choice([60_000_000, 8_640_000_000])
    return _BY_SHAPE[field.shape](chance)


def _record(record: RecordType, chance: Chance) -> dict[str, Any]:
    return {field.name: _value(field, chance) for field in record.fields}


def _single(name: str, seed: int) -> list[Event]:
    return [FROM_RECORD[name](_record(DESCRIPTION.events[name], Chance(f"{name} {seed}")))]


_SINGLES = st.builds(_single, st.sampled_from(sorted(DESCRIPTION.events)), st.integers(0, 1 << 30))


def _meta(at: int) -> Meta:
    return Meta(event_id=b"", occurred_at=at, producer=Producer(system="pos", channel="STORE"))


def _crowd(size: int, leaving: int, kind: str, seed: int) -> list[Event]:
    """One telephone for so many profiles that it belongs to nobody, or nearly; some then leave."""
    chance, crowd = Chance(seed), list[Event]()
    for number in range(size):
        profile = _id("crowd", number)
        one = Identifier(
            kind=kind, value=b"v", value_index=_id("value", 9), verified=chance.random() < 0.8
        )
        if number % 3 == 0:
            crowd.append(
                ProfileRegistered(
                    meta=_meta(T0),
                    profile_id=profile,
                    source_system="pos",
                    registered_at=T0 - number,
                    identifiers=[one],
                )
            )
        else:
            crowd.append(IdentifierObserved(meta=_meta(T0), profile_id=profile, identifier=one))
    crowd += [
        SubjectErased(meta=_meta(T0), profile_id=_id("crowd", 2 * number))
        for number in range(leaving)
    ]
    return crowd


_CROWDS = st.builds(
    _crowd,
    st.integers(8, 14),
    st.integers(0, 4),
    st.sampled_from(["phone", "card"]),
    st.integers(0, 999),
)


@dataclass(slots=True)
class Sent:
    """One append: an event, and whether it is a resend or says something else under a used id."""

    event: Event
    of: int


@st.composite
def histories(draw: st.DrawFn) -> list[Sent]:
    """What producers append, in an order that every interleaving keeps within a key."""
    crowded = st.lists(_SINGLES | _CROWDS, min_size=1, max_size=30)
    groups = draw(st.one_of(st.lists(_SINGLES, min_size=1, max_size=80), crowded))
    events = _told_once(event for group in groups for event in group)
    sent = []
    for number, event in enumerate(events):
        event.meta.event_id = _id("event", number)
        sent.append(Sent(event, number))
    chance = Chance(draw(st.integers(0, 999)))
    for number, event in enumerate(events):
        if chance.random() < 0.1:
            sent.append(Sent(event, number))
        if chance.random() < 0.05:
            sent.append(Sent(_other(event), number))
    return sent


def _told_once(events: Iterable[Event]) -> list[Event]:
    """Without documents that were told before: which of two tellings counts is the ledger's to say,
    and has tests of its own.
    """
    kept, documents = list[Event](), set[bytes]()
    for event in events:
        document = document_of(event)
        if document is None or document[0] not in documents:
            kept.append(event)
        if document is not None:
            documents.add(document[0])
    return kept


def _other(event: Event) -> Event:
    """Another body under the same id and key."""
    record = TO_RECORD[event.NAME](event)
    meta = {**record["meta"], "occurred_at": record["meta"]["occurred_at"] + 1}
    return FROM_RECORD[event.NAME]({**record, "meta": meta})


def interleaved(sent: list[Sent], seed: int) -> list[Sent]:
    """Another order of the same appends, the same within each topic's key."""
    chance = Chance(seed)
    queues: dict[tuple[str, bytes], list[Sent]] = defaultdict(list)
    for one in sent:
        queues[one.event.TOPIC, key_of(one.event)].append(one)
    turns = [key for key, queue in queues.items() for _ in queue]
    chance.shuffle(turns)
    heads = {key: iter(queue) for key, queue in queues.items()}
    return [next(heads[key]) for key in turns]
