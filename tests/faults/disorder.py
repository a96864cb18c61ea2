"""What does the way to Kafka do to facts? Resends, late ones, broken ones, used ids; seeded.

Broken are those that no reader can take for an event, and those that Postgres cannot hold.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from tests.faults import clocks, unstorable
from tests.faults.edge import said
from tests.faults.shop import Fact, Shop
from tests.faults.wire import KEYS, Record, Unreadable, Wire

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Shares:
    """How many of a hundred facts, as a share of 1, are sent again, late, broken or otherwise."""

    resent: float = 0.10
    late: float = 0.05
    corrupt: float = 0.01
    other_body: float = 0.002
    unstorable: float = 0.0005
    # sales told again under another id, rarely with another content
    doubled: float = 0.02
    wrong_clock: float = 0.02


@dataclass(slots=True)
class Append:
    """One record as it is sent."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    asked: bytes | None = None
    """The same as a producer says it to the gateway, where it may."""
    kind: str = "events"


@dataclass
class Log:
    """What is sent, in order."""

    appends: list[Append] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    varied: int = 0
    """So many of the first appends have every kind of event that the log has."""

    def first(self, many: int) -> Log:
        """What was sent when sending ended after so many."""
        appends = self.appends[:many]
        return Log(appends, Counter(append.kind for append in appends), min(self.varied, many))

    def corrupt(self) -> Counter[tuple[str, bytes | None, bytes | None]]:
        """The records that no reader can take for an event."""
        broken = (append for append in self.appends if append.kind.startswith("corrupt"))
        return Counter((one.topic, one.key, one.value) for one in broken)

    def unstorable(self) -> Counter[tuple[str, bytes | None, bytes | None]]:
        """The records whose events Postgres cannot hold, told before any good one of their id."""
        refused = (append for append in self.appends if append.kind.startswith("unstorable"))
        return Counter((append.topic, append.key, append.value) for append in refused)


def log(seed: int, events: int, edge: bool = False, shares: Shares | None = None) -> Log:
    """A seeded log of so many different facts."""
    # they say what can happen
    from tests.faults import (  # noqa: F401
        customers,
        deliveries,
        fulfilling,
        happenings,
        selling,
    )

    chance, wire, made = random.Random(f"disorder {seed}"), Wire(), Log()
    share, owed = shares or Shares(), 0
    spoiling = random.Random(f"unstorable {seed}")
    doubling = random.Random(f"doubled {seed}")
    setting = random.Random(f"clocks {seed}")
    placed: list[tuple[float, int, Append]] = []
    names: dict[int, str] = {}

    def put(position: float, append: Append, kind: str) -> None:
        placed.append((position, len(placed), replace(append, kind=kind)))
        made.sent[kind] += 1

    for number, fact in enumerate(Shop(seed, profiles=max(200, events // 40)).facts(events)):
        position, measured = float(number), Headers()
        if setting.random() < share.wrong_clock:
            fact, measured = clocks.wrong(fact, setting)
        append = _append(wire, fact, measured)
        # what was measured of a clock is in headers that only the gateway writes
        append.asked = said(fact) if edge and not measured else None
        if chance.random() < share.late:
            position += chance.uniform(1, 3_000)
            made.sent["late"] += 1
        names[len(placed)] = fact[0]
        put(position, append, "events")
        if chance.random() < share.resent:
            put(position + chance.expovariate(1 / 2_000), append, "resends")
        if chance.random() < share.other_body:
            put(position + chance.uniform(1, 5_000), _other(wire, fact), "other bodies")
        if fact[0] == "PurchaseCompleted" and doubling.random() < share.doubled:
            again, kind = _told_again(fact, doubling)
            second = _append(wire, again)
            second.asked = said(again) if edge else None
            put(position + doubling.expovariate(1 / 2_000), second, kind)
        if chance.random() < share.corrupt:
            kind = chance.choice(list(BREAKS))
            put(position, BREAKS[kind](wire, append, chance), f"corrupt: {kind}")
        owed += spoiling.random() < share.unstorable
        if owed and unstorable.applicable(*fact):
            owed -= 1
            for distance, spoilt, kind in _unstorable(wire, fact, spoiling):
                put(position + distance, spoilt, kind)
    placed.sort(key=lambda one: one[:2])
    made.appends = [append for _, _, append in placed]
    first: dict[str, int] = {}
    for place, (_, number, _) in enumerate(placed):
        if number in names:
            first.setdefault(names[number], place)
    made.varied = max(first.values(), default=-1) + 1
    return made


def corrupt(sent: Counter[str]) -> int:
    """How many records were sent that no reader can take for an event."""
    return sum(count for kind, count in sent.items() if kind.startswith("corrupt"))


def _append(wire: Wire, fact: Fact, measured: Headers | None = None) -> Append:
    name, record = fact
    headers = [*(measured or ()), *_headers(record)]
    return Append(wire.topics[name], wire.key(name, record), wire.encode(name, record), headers)


def _headers(record: Record) -> Headers:
    producer = record["meta"]["producer"]
    where = "/".join(
        [producer["system"], producer.get("store_id", "-"), producer.get("terminal_id", "-"), "0"]
    )
    headers = [("ce_source", f"/{where}".encode())]
    if "terminal_sequence" in producer:
        headers.append(("ce_sequence", str(producer["terminal_sequence"]).encode()))
    return headers


def _other(wire: Wire, fact: Fact) -> Append:
    """The same id and key, another body."""
    name, record = fact
    meta = {**record["meta"], "occurred_at": record["meta"]["occurred_at"] + 1}
    return _append(wire, (name, {**record, "meta": meta}))


def _told_again(fact: Fact, chance: random.Random) -> tuple[Fact, str]:
    """A sale under another id, and what it counts as: rarely it has another content."""
    name, sale = fact
    meta = {
        **sale["meta"], "event_id": chance.randbytes(16),
        "occurred_at": sale["meta"]["occurred_at"] + chance.randint(0, 90) * 1_000_000,
    }  # fmt: skip
    again = {**sale, "meta": meta, "lines": sale["lines"][::-1]}
    if chance.random() < 0.2:
        again["profile_id"] = None
    if chance.random() < 0.9:
        return (name, again), "resends"
    first, *rest = sale["lines"]
    more = chance.choice(({"net_paid": first["net_paid"] + 100}, {"sku": first["sku"] + "-b"}))
    return (name, {**again, "lines": [{**first, **more}, *rest]}), "other bodies"


def _unstorable(
    wire: Wire, fact: Fact, chance: random.Random
) -> Iterable[tuple[float, Append, str]]:
    """An event that cannot be stored, how far from the good one it is sent, and what it counts as.

    It has an id of its own, and may be sent again; or that of the good one, sent before it or
    after it. After it, it is another body of an event that was applied.
    """
    name, record = fact
    kind = chance.choice(list(unstorable.KEPT[name]))
    bad = unstorable.spoilt(name, record, kind, chance)
    place = chance.choice(("alone", "before", "after"))
    if place == "alone":
        bad = {**bad, "meta": {**bad["meta"], "event_id": chance.randbytes(16)}}
        if name == "PurchaseCompleted":
            # a second document of the good sale would not be looked at
            bad["transaction_id"] = chance.randbytes(16)
        if chance.random() < 0.3:
            yield chance.uniform(0, 3_000), _append(wire, (name, bad)), f"unstorable: {kind}"
    distance = -chance.uniform(0, 300) if place == "before" else chance.uniform(0, 300)
    counted = "other bodies" if place == "after" else f"unstorable: {kind}"
    yield distance, _append(wire, (name, bad)), counted


Break = Callable[[Wire, Append, random.Random], Append]


def _value(change: Callable[[bytes, random.Random], bytes | None]) -> Break:
    def broken(wire: Wire, append: Append, chance: random.Random) -> Append:
        assert append.value is not None
        return Append(append.topic, append.key, change(append.value, chance), append.headers)

    return broken


def _flipped(wire: Wire, append: Append, chance: random.Random) -> Append:
    """Flips bits of the body until no reader could take it for an event."""
    assert append.value is not None
    value = bytearray(append.value)
    while _readable(wire, bytes(value)):
        value[chance.randrange(5, len(value))] ^= 1 << chance.randrange(8)
    return Append(append.topic, append.key, bytes(value), append.headers)


def _readable(wire: Wire, value: bytes) -> bool:
    try:
        wire.decode(value)
    except Unreadable:
        return False
    return True


def _elsewhere(wire: Wire, append: Append, chance: random.Random) -> Append:
    topic = chance.choice(_others(append.topic))
    return Append(topic, append.key, append.value, append.headers)


def _others(topic: str) -> list[str]:
    return [other for other in KEYS if other != topic]


def _misplaced(wire: Wire, append: Append, chance: random.Random) -> Append:
    key = None if chance.random() < 0.2 else chance.randbytes(16)
    return Append(append.topic, key, append.value, append.headers)


BREAKS: dict[str, Break] = {
    "no value": _value(lambda value, chance: None),
    "empty": _value(lambda value, chance: b""),
    "short": _value(lambda value, chance: value[: chance.randint(1, 5)]),
    "wrong magic": _value(lambda value, chance: bytes([chance.randint(1, 255)]) + value[1:]),
    "unknown schema": _value(lambda value, chance: b"\0\0\x0f\x42\x40" + value[5:]),
    "truncated": _value(lambda value, chance: value[: chance.randint(6, len(value) - 1)]),
    "bits flipped": _flipped,
    "trailing bytes": _value(lambda value, chance: value + chance.randbytes(chance.randint(1, 9))),
    "wrong topic": _elsewhere,
    "wrong key": _misplaced,
}


def kinds(sent: Counter[str]) -> Iterable[str]:
    """The ways in which records were broken."""
    return sorted(kind for kind in sent if kind.startswith("corrupt"))
