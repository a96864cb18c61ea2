"""Which records would a broken, old or malicious client append? Thousands of them, drawn anew.

Each begins as an event of ours; its bytes, its fields, its key or its topic are then spoilt, or
it is sent as it is, again, or with another body.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from schemas.generated.events import EVENTS
from schemas.generated.inputs import INPUTS, example, parse, to_event
from schemas.topics import DEAD_LETTERS, TOPICS
from schemas.wire import codec
from tests.schemas.sealers import OpenSealer

NUMBERS = (
    0, 1, -1, 127, 2**31 - 1, 2**31, -(2**31), 10**15, 10**15 + 1, 2**53, 2**63 - 1, -(2**63),
)  # fmt: skip
TEXTS = (
    "", "\0", "a\0b", "\x7f", "\uffff", "'; drop schema main cascade; --", "|", "9|{}",
    "x" * 70_000, "\u202e\u0301", "髙﨑" * 100, "NULL", "\\x00", "%s", "../..", " ",
)  # fmt: skip
SPLICES = (b"\0", b"\xff" * 10, b"\x80" * 12, b"\x01", b"\0\0\0\0\1", b"\x7f" * 400)
POOL = 40
"""So few customers, items and events to correct that spoilt facts meet sound ones."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A record as a client hands it to Kafka."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Mutants:
    """Draws records; the same seed draws the same kinds of faults."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._examples = {
            name: to_event(parse(example(name)), OpenSealer()) for name in EVENTS if name in INPUTS
        }
        self._ids = [self._random.randbytes(16) for _ in range(POOL)]
        self._sent: list[Any] = []
        self._kinds: tuple[Callable[[Any], bytes | None], ...] = (
            codec.encode, self._again, self._otherwise, self._odd_number, self._odd_field,
            self._odd_field, self._flipped, self._cut, self._spliced, self._doubled,
            self._header, self._frame,
        )  # fmt: skip

    def draw(self, count: int) -> Iterator[Mutant]:
        """Topics in turn, their events by chance."""
        topics = [topic for name, topic in TOPICS.items() if name != DEAD_LETTERS]
        for number in range(count):
            topic = topics[number % len(topics)]
            event = self._event(self._random.choice(topic.events))
            kind = self._random.choice(self._kinds)
            if kind in (self._again, self._otherwise) and self._sent:
                event = copy.deepcopy(self._random.choice(self._sent))
            headers = self._headers(event)
            value = kind(event)
            where = event.TOPIC
            if self._random.random() < 0.02:
                where = self._random.choice(topics).name
            yield Mutant(where, self._key(event), value, headers)
            if kind == codec.encode:
                self._sent.append(event)

    def garbage(self, count: int) -> list[bytes | None]:
        """Values that were never an event."""
        return [self._frame(self._event("StockReceived")) for _ in range(count)]

    def _event(self, name: str) -> Any:
        event: Any = copy.deepcopy(self._examples[name])
        event.meta.event_id = self._random.randbytes(16)
        for one in fields(event):
            value = getattr(event, one.name)
            if isinstance(value, bytes) and len(value) == 16:
                setattr(event, one.name, self._random.choice(self._ids))
        return event

    def _key(self, event: Any) -> bytes | None:
        draw = self._random.random()
        if draw < 0.75:
            try:
                return codec.key_of(event)
            except (ValueError, TypeError, AttributeError):
                return b"none"
        if draw > 0.995:
            return b"\xff" * 900_000
        return self._random.choice((self._random.randbytes(16), b"", None, b"\xff" * 2_000))

    def _headers(self, event: Any) -> list[tuple[str, bytes | None]]:
        if self._random.random() < 0.8:
            return [*codec.headers_of(event)]
        odd: tuple[list[tuple[str, bytes | None]], ...] = (
            [],
            [("ce_id", None)],
            [("", b"\xff\0")],
            [("x", b"y")] * 50,
            [("ce_source", "/pos/-/-/²".encode())],
            [("ce_source", b"/pos/-/-/" + b"9" * 5_000)],
        )
        return self._random.choice(odd)

    def _again(self, event: Any) -> bytes:
        return codec.encode(event)

    def _otherwise(self, event: Any) -> bytes:
        event.meta.occurred_at += 1
        return codec.encode(event)

    def _odd_number(self, event: Any) -> bytes:
        self._put(event, int, self._random.choice(NUMBERS))
        return _encoded(event)

    def _odd_field(self, event: Any) -> bytes:
        kind = self._random.choice((int, str, str, bytes, list))
        odd: dict[type, Any] = {
            int: self._random.choice(NUMBERS),
            str: self._random.choice(TEXTS),
            bytes: self._random.randbytes(self._random.choice((16, 16, 0, 1, 40))),
            list: [],
        }
        self._put(event, kind, odd[kind])
        return _encoded(event)

    def _put(self, event: Any, kind: type, odd: Any) -> None:
        """Replaces one value of the kind, however deep; all that there is may be none."""
        found = list(_values(event, kind))
        if found:
            owner, name = self._random.choice(found)
            setattr(owner, name, odd)

    def _flipped(self, event: Any) -> bytes:
        body = bytearray(codec.encode(event))
        for _ in range(self._random.randint(1, 3)):
            body[self._random.randrange(5, len(body))] ^= 1 << self._random.randrange(8)
        return bytes(body)

    def _cut(self, event: Any) -> bytes:
        body = codec.encode(event)
        at = self._random.randrange(len(body))
        return body[:at] + body[at + self._random.choice((1, 4, 16, len(body))) :]

    def _spliced(self, event: Any) -> bytes:
        body = codec.encode(event)
        at = self._random.randrange(5, len(body))
        return body[:at] + self._random.choice(SPLICES) + body[at:]

    def _doubled(self, event: Any) -> bytes:
        body = codec.encode(event)
        at = self._random.randrange(5, len(body))
        return body[:at] + body[at : at + self._random.randint(1, 200)] + body[at:]

    def _header(self, event: Any) -> bytes:
        body = codec.encode(event)
        known = codec.encode(self._random.choice(list(self._examples.values())))[:5]
        header = self._random.choice(
            (known, known, b"\0\0\0\0\0", b"\0\xff\xff\xff\xff", b"\1" * 5)
        )
        return header + body[5:]

    def _frame(self, event: Any) -> bytes | None:
        body = codec.encode(event)
        whole = (None, b"", b"\0", body[:5], b'{"type": "StockReceived"}', body + b"\0")
        drawn = (self._random.randbytes(200), body[:5] + self._random.randbytes(300))
        large = body + b"\0" * 262_144
        if self._random.random() < 0.05:
            return large
        return self._random.choice((*whole, *drawn))


def _values(part: Any, kind: type) -> Iterator[tuple[Any, str]]:
    for one in fields(part):
        value = getattr(part, one.name)
        if is_dataclass(value):
            yield from _values(value, kind)
        elif isinstance(value, kind) and not isinstance(value, bool):
            yield part, one.name
        for each in value if isinstance(value, list) else ():
            if is_dataclass(each):
                yield from _values(each, kind)


def _encoded(event: Any) -> bytes:
    """As Avro writes it; what Avro itself cannot write is sent with a wrong number of bytes."""
    try:
        return codec.encode(event)
    except Exception:  # the Avro library raises a dozen kinds
        return b"\0\0\0\0\1" + repr(event).encode("utf-8", "replace")[:1_000]
