"""What is sent? W1: points earned. W2: as many events, half sales, half the points of those."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from schemas.generated.events import Event, PointsEarned, PurchaseCompleted
from schemas.generated.events.parts import EarnedLot, Meta, Producer, PurchaseLine
from services.runtime.producer import KafkaRecord, record_of
from tests.benchmarks.oracle import Expected

WORKLOADS = ("w1", "w2")
BEGAN = 1_760_000_000_000_000
BETWEEN = 10_000  # microseconds from one event to the next
RESENT, NEAR, FAR = 0.05, 100, 20_000
SHOP = Producer(system="ec", channel="EC", store_id="EC", terminal_id="WEB")


@dataclass(frozen=True, slots=True)
class Shape:
    """How many of what there are, and whether some of them are met more often than others."""

    members: int = 100_000
    locations: int = 50
    skus: int = 20_000
    skewed: bool = False


@dataclass(slots=True)
class Load:
    """Records ready to be sent, and the state they lead to; of their first part as well."""

    name: str
    records: list[KafkaRecord]
    expected: Expected
    prefix: Expected
    topics: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.topics = tuple(sorted({record.topic for record in self.records}))

    def first(self) -> list[KafkaRecord]:
        """The part of it that the slowest peer is given."""
        return self.records[: self.prefix.messages]


def load(
    name: str,
    count: int,
    prefix: int,
    shape: Shape,
    seed: int = 1,
    record_of: Callable[[Event], KafkaRecord] = record_of,
) -> Load:
    """So many records, 5 % of them sent before: half lately, half a while ago.

    `record_of` encodes an event; by default with the newest schemas.
    """
    chance = random.Random(seed)
    fresh = _facts(name, shape, chance)
    sent: list[KafkaRecord] = []
    whole, beginning = Expected(), Expected()
    records = []
    for number in range(count):
        if sent and chance.random() < RESENT:
            back = NEAR if chance.random() < 0.5 else FAR
            records.append(sent[-1 - chance.randrange(min(back, len(sent)))])
        else:
            event = next(fresh)
            whole.take(event)
            if number < prefix:
                beginning.take(event)
            record = record_of(event)
            sent.append(record)
            records.append(record)
    whole.messages, beginning.messages = count, min(prefix, count)
    return Load(name, records, whole, beginning)


def member_ids(shape: Shape) -> list[bytes]:
    """The same members in every run."""
    chance = random.Random(7)
    return [chance.randbytes(16) for _ in range(shape.members)]


def location_id(number: int) -> str:
    return f"L{number:03}"


def sku_of(number: int) -> str:
    """As long as a JAN code."""
    return f"49{number:011}"


def _facts(name: str, shape: Shape, chance: random.Random) -> Iterator[Event]:
    members = member_ids(shape)
    member = _draw(shape.members, 0.6 if shape.skewed else 0.0, chance)
    location = _draw(shape.locations, 0.8 if shape.skewed else 0.0, chance)
    sku = _draw(shape.skus, 1.0 if shape.skewed else 0.0, chance)
    at = BEGAN
    while True:
        who, sale = members[member()], chance.randbytes(16)
        if name == "w2":
            lines = [
                PurchaseLine(
                    line_no=no,
                    sku=sku_of(sku()),
                    quantity=chance.randint(1, 3),
                    unit_price=1_000,
                    net_paid=1_000,
                )
                for no in range(1, chance.randint(1, 3) + 1)
            ]
            yield PurchaseCompleted(
                meta=_meta(at, chance),
                transaction_id=sale,
                location_id=location_id(location()),
                currency="JPY",
                total=1_000 * len(lines),
                lines=lines,
                profile_id=who,
            )
            at += BETWEEN
        lot = EarnedLot(lot_id=chance.randbytes(16), points=chance.randint(1, 200), line_no=1)
        yield PointsEarned(meta=_meta(at, chance), profile_id=who, lots=[lot], transaction_id=sale)
        at += BETWEEN


def _meta(at: int, chance: random.Random) -> Meta:
    """With a UUIDv7, as the SDK gives an event without a receipt number."""
    milliseconds, noise = at // 1000, chance.getrandbits(74)
    number = milliseconds << 80 | 7 << 76 | (noise >> 62) << 64 | 2 << 62 | noise & (2**62 - 1)
    return Meta(event_id=number.to_bytes(16, "big"), occurred_at=at, producer=SHOP)


def _draw(size: int, exponent: float, chance: random.Random) -> Callable[[], int]:
    """Numbers below `size`: all alike, or by Zipf's law over a shuffled order."""
    if not exponent:
        return lambda: chance.randrange(size)
    order = list(range(size))
    chance.shuffle(order)
    weights = list(accumulate((rank + 1) ** -exponent for rank in range(size)))
    return lambda: chance.choices(order, cum_weights=weights)[0]
