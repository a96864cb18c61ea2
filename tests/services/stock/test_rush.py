"""Is nothing promised that is not there, however many ask and whoever dies?"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas import codec
from schemas.events import PurchaseCompleted, ReservationCommitted, StockReceived
from schemas.topics import TOPICS
from tests.services.stock.rush import HOLDS, Fact, Rush, Seen, judge
from tests.services.stock.shop import Shop, shop

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("rush")) as own:
        yield own


def facts_about(kafka: str, sku: str) -> list[Fact]:
    """Read with another client library; each event once, where it came first."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": "rush", "enable.auto.commit": False}
    )
    found, ids = [], set[bytes]()
    try:
        for topic in ("commerce.inventory", "commerce.purchases"):
            for partition in range(TOPICS[topic].partitions):
                _, end = consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=10
                )
                consumer.assign([TopicPartition(topic, partition, 0)])
                at = 0
                while at < end:
                    for message in consumer.consume(min(1_000, end - at), 1.0):
                        at = int(message.offset() or 0) + 1
                        event = codec.decode(message.value())
                        if event.meta.event_id in ids:
                            continue
                        fact = _fact(event, sku, f"{topic}-{partition}", at - 1)
                        if fact is not None:
                            ids.add(event.meta.event_id)
                            found.append(fact)
    finally:
        consumer.close()
    return found


def _fact(event: Any, sku: str, place: str, offset: int) -> Fact | None:
    if isinstance(event, PurchaseCompleted):
        sold = sum(line.quantity for line in event.lines if line.sku == sku)
        return Fact(place, offset, -sold, 0) if sold else None
    if getattr(event, "sku", "") != sku:
        return None
    if isinstance(event, StockReceived):
        return Fact(place, offset, event.quantity, 0)
    if isinstance(event, ReservationCommitted):
        return Fact(place, offset, 0, event.quantity, UUID(bytes=event.reservation_id))
    return None


def rushed(open_shop: Shop, sku: str, many: int, clients: int, kills: int, sales: int) -> Seen:
    """The rush, with till sales of single units and kills spread over it."""
    chance = random.Random(3)

    async def beside() -> None:
        doings = ["kill"] * kills + ["sale"] * sales
        chance.shuffle(doings)
        for doing in doings:
            await asyncio.sleep(chance.uniform(0.5, 1.5) * many / 400 / (len(doings) + 1))
            if doing == "kill":
                process = open_shop.road.last("commands")
                process.kill()
                await asyncio.to_thread(process.wait)
                open_shop.again()
            else:
                await asyncio.to_thread(open_shop.sell, sku)

    return asyncio.run(Rush(open_shop.url, sku, many).run(clients, beside))


def settled(open_shop: Shop, sku: str) -> tuple[list[Any], list[Fact]]:
    """Every fact is in the log and applied."""
    open_shop.wait()
    open_shop.until(
        lambda: not open_shop.road.sql("select 1 from outbox where sent_at is null"), 60
    )
    open_shop.until(
        lambda: (
            not open_shop.road.sql(
                "select 1 from stock_hold where sku = %s and state = 'committed'", sku
            )
        ),
        60,
    )
    return open_shop.road.sql(HOLDS, sku), facts_about(open_shop.road.endpoints.kafka, sku)


def fares(open_shop: Shop, units: int, many: int, clients: int, kills: int, sales: int) -> Seen:
    sku = open_shop.stocked(units)
    seen = rushed(open_shop, sku, many, clients, kills, sales)
    holds, facts = settled(open_shop, sku)
    assert seen.granted
    assert seen.committed
    assert judge(holds, facts, seen) == []
    time.sleep(3.0)  # the time of the last hold and a second
    on_hand, committed = open_shop.cell(sku)
    assert on_hand == units - sales
    assert committed == len([row for row in holds if row[6]])
    _shortage_is_told(open_shop, sku, committed - on_hand)
    left = on_hand - committed
    if left > 0:
        assert open_shop.reserve(sku, left, dry_run=True).status_code == 200, "units did not return"
    assert open_shop.reserve(sku, max(left, 0) + 1, dry_run=True).status_code == 409
    return seen


def _shortage_is_told(open_shop: Shop, sku: str, short: int) -> None:
    """Promised and sold at the till all the same: each unit with the sale that took it."""
    found = open_shop.short(open_shop.road.api(), sku)
    if short <= 0:
        assert found is None
        return
    assert found is not None
    assert found["short"] == sum(cause["units"] for cause in found["causes"]) == short


def test_a_rush_for_a_few_units_while_the_decider_dies(open_shop: Shop) -> None:
    seen = fares(open_shop, units=60, many=1_200, clients=16, kills=2, sales=5)
    assert seen.statuses["reserve", 409] > 100


@pytest.mark.long
def test_twenty_thousand_reservations_from_64_clients(open_shop: Shop) -> None:
    seen = fares(open_shop, units=1_000, many=20_000, clients=64, kills=10, sales=40)
    assert sum(many for (what, _), many in seen.statuses.items() if what == "reserve") == 20_000


def test_a_grant_too_many_would_be_noticed(open_shop: Shop) -> None:
    """The control: a hold that nobody decided, put in by hand."""
    sku = open_shop.stocked(2)
    told = open_shop.reserve(sku, 2, ttl_seconds=60).json()
    extra = uuid4()
    open_shop.road.sql(
        "insert into stock_hold (id, sku, location_id, quantity, channel, client, expires_at)"
        " values (%s, %s, 'W1', 1, 'EC', 'ec', now() + interval '1 minute')",
        extra, sku,
    )  # fmt: skip
    seen = Seen(granted={told["reservation_id"]: told, str(extra): told})
    holds, facts = settled(open_shop, sku)
    assert [str(extra) in said for said in judge(holds, facts, seen)] == [True]
