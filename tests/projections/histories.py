"""Histories of a small shop: few customers, items, places and tills, so that everything collides."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from schemas.codec import key_of
from schemas.events import (
    Event,
    Identifier,
    IdentifierObserved,
    Meta,
    ProfileRegistered,
    SubjectErased,
)
from schemas.events import Producer as Producer
from schemas.generation.description import Field, Record, describe
from schemas.records import FROM_RECORD

DESCRIPTION = describe()
T0 = 1_750_000_000_000_000


def _id(kind: str, number: int) -> bytes:
    return kind.encode().ljust(8, b"\0") + number.to_bytes(8, "big")


def _ids(kind: str, how_many: int) -> st.SearchStrategy[bytes]:
    return st.integers(0, how_many - 1).map(lambda number: _id(kind, number))


_SMALL = st.integers(-3, 9)
_TIME = st.integers(0, 30).map(lambda minutes: T0 + minutes * 60_000_000)
_CODE = st.sampled_from(["", "a", "b|c", 'd"\\', "お直し", "NULL", "{x,y}"])
_BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "profile_id": _ids("profile", 5),
    "other_profile_id": _ids("profile", 5),
    "to_profile_id": _ids("profile", 5),
    "transaction_id": _ids("receipt", 4),
    "inquiry_id": _ids("inquiry", 3),
    "lot_id": _ids("lot", 3),
    "sku": st.sampled_from(["tea", "cup", 'pot "9"']),
    "location_id": st.sampled_from(["ginza", "umeda"]),
    "from_location_id": st.sampled_from(["ginza", "umeda"]),
    "to_location_id": st.sampled_from(["ginza", "umeda"]),
    "store_id": st.sampled_from(["ginza", "umeda"]),
    "terminal_id": st.sampled_from(["1", "2"]),
    "terminal_epoch": st.integers(0, 1),
    "terminal_sequence": st.integers(1, 12),
    "kind": st.sampled_from(["card", "account", "phone", "email", "device"]),
    "value_index": _ids("value", 4),
    "value": st.binary(min_size=1, max_size=3),
    "line_no": st.integers(1, 3),
    "system": st.sampled_from(["pos", "ec"]),
    "category": st.sampled_from(["drinks", "ware"]),
}


def _values(field: Field) -> st.SearchStrategy[Any]:
    drawn = _drawn(field)
    return st.one_of(st.none(), drawn) if field.nullable else drawn


def _drawn(field: Field) -> st.SearchStrategy[Any]:
    part = DESCRIPTION.parts.get(str(field.of))
    if field.shape == "array":
        return st.lists(_records(part) if part else _CODE, max_size=2)
    if part:
        return _records(part)
    if field.shape == "enum":
        return st.sampled_from(DESCRIPTION.enums[str(field.of)].symbols)
    if field.name in _BY_NAME:
        return _BY_NAME[field.name]
    if field.meaning == "instant":
        return _TIME
    return {
        "string": _CODE,
        "int": _SMALL,
        "long": _SMALL,
        "double": st.just(0.5),
        "boolean": st.booleans(),
        "bytes": st.binary(max_size=3),
        "id": st.binary(min_size=16, max_size=16),
    }[field.shape]


def _records(record: Record) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({field.name: _values(field) for field in record.fields})


_SINGLE = st.one_of(
    [_records(record).map(FROM_RECORD[name]) for name, record in DESCRIPTION.events.items()]
)


def _meta(at: int) -> Meta:
    return Meta(b"", at, Producer("pos", "STORE"))


@st.composite
def _crowds(draw: st.DrawFn) -> list[Event]:
    """One telephone for so many profiles that it belongs to nobody, or nearly; some then leave."""
    size, leaving = draw(st.integers(8, 14)), draw(st.integers(0, 4))
    value = Identifier(draw(st.sampled_from(["phone", "card"])), b"v", _id("value", 9))
    crowd: list[Event] = []
    for number in range(size):
        profile = _id("crowd", number)
        verified = draw(st.integers(0, 4)) > 0
        one = Identifier(value.kind, value.value, value.value_index, verified)
        if number % 3 == 0:
            crowd.append(ProfileRegistered(_meta(T0), profile, "pos", T0 - number, [one]))
        else:
            crowd.append(IdentifierObserved(_meta(T0), profile, one))
    crowd += [SubjectErased(_meta(T0), _id("crowd", 2 * number)) for number in range(leaving)]
    return crowd


@dataclass(slots=True)
class Sent:
    """One append: an event, and whether it is a resend or says something else under a used id."""

    event: Event
    of: int


@st.composite
def histories(draw: st.DrawFn) -> list[Sent]:
    """What producers append, in an order that every interleaving keeps within a key."""
    groups = st.lists(st.one_of(_SINGLE.map(lambda one: [one]), _crowds()), min_size=1, max_size=40)
    if draw(st.integers(0, 2)):
        groups = st.lists(_SINGLE.map(lambda one: [one]), min_size=1, max_size=60)
    events = [event for group in draw(groups) for event in group]
    sent = []
    for number, event in enumerate(events):
        event.meta.event_id = _id("event", number)
        sent.append(Sent(event, number))
    again = random.Random(draw(st.integers(0, 1 << 32)))
    for number, event in enumerate(events):
        if again.random() < 0.1:
            sent.append(Sent(event, number))
        if again.random() < 0.05:
            sent.append(Sent(_other(event), number))
    return sent


def _other(event: Event) -> Event:
    """Another body under the same id and key."""
    name = event.NAME
    from schemas.records import TO_RECORD

    record = TO_RECORD[name](event)
    return FROM_RECORD[name](
        {**record, "meta": {**record["meta"], "occurred_at": record["meta"]["occurred_at"] + 1}}
    )


def interleaved(sent: list[Sent], seed: int) -> list[Sent]:
    """Another order of the same appends, the same within each topic's key."""
    chance = random.Random(seed)
    queues: dict[tuple[str, bytes], list[Sent]] = defaultdict(list)
    for one in sent:
        queues[one.event.TOPIC, key_of(one.event)].append(one)
    turns = [key for key, queue in queues.items() for _ in queue]
    chance.shuffle(turns)
    heads = {key: iter(queue) for key, queue in queues.items()}
    return [next(heads[key]) for key in turns]
