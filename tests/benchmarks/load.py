"""What does the benchmark send? Sales and the points they earn, of many customers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from aiokafka import AIOKafkaProducer

from schemas import codec
from schemas.events import Event, PointsEarned, PurchaseCompleted
from schemas.events.parts import Meta
from schemas.inputs import example, parse, to_event
from tests.schemas.sealers import OpenSealer

CUSTOMERS, ITEMS, STORES = 20_000, 5_000, 20
SECOND = 1_000_000


def events(count: int, seed: int = 1) -> Iterator[Event]:
    """Half of them sales of one to three lines, half the points of those sales."""
    chance = random.Random(seed)
    sale, points = _like("PurchaseCompleted"), _like("PointsEarned")
    assert isinstance(sale, PurchaseCompleted)
    assert isinstance(points, PointsEarned)
    for number in range(count // 2):
        customer = UUID(int=chance.randrange(CUSTOMERS) + 1).bytes
        at = sale.meta.occurred_at + number * SECOND
        store = f"S{chance.randrange(STORES):03}"
        lines = [
            replace(
                sale.lines[0], line_no=no, sku=f"{chance.randrange(ITEMS):013}", location_id=store
            )
            for no in range(1, chance.randint(1, 3) + 1)
        ]
        yield replace(
            sale, meta=_meta(sale, chance, at), profile_id=customer, lines=lines, location_id=store,
            transaction_id=chance.randbytes(16),
        )  # fmt: skip
        yield replace(points, meta=_meta(points, chance, at), profile_id=customer)


async def send(kafka: str, count: int) -> int:
    """Appends so many events; answers how many it were."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", compression_type="lz4", linger_ms=20,
        max_batch_size=1 << 18,
    )  # fmt: skip
    await producer.start()
    sent: list[asyncio.Future[object]] = []
    for event in events(count):
        future = await producer.send(event.TOPIC, codec.encode(event), key=codec.key_of(event))
        sent.append(future)
    await producer.flush()
    await asyncio.gather(*sent)
    await producer.stop()
    return len(sent)


def _like(name: str) -> Event:
    return to_event(parse(example(name)), OpenSealer())


def _meta(event: Event, chance: random.Random, at: int) -> Meta:
    return replace(event.meta, event_id=chance.randbytes(16), occurred_at=at)
