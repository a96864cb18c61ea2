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

from schemas.generated.events import PurchaseCompleted, ReservationCommitted, StockReceived
from schemas.topics import TOPICS
from schemas.wire import codec
from tests.services.stock.rush import (
    GRANTS,
    HOLDS,
    Fact,
    Mixed,
    Rush,
    Seen,
    judge,
    most_promised,
)
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


def rushed(
    open_shop: Shop, rush: Rush, sku: str, many: int, clients: int, kills: int, sales: int
) -> Seen:
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

    return asyncio.run(rush.run(clients, beside))


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
    seen = rushed(open_shop, Rush(open_shop.url, sku, many), sku, many, clients, kills, sales)
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
    found = open_shop.short(open_shop.reads, sku)
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


def shared_fairly(open_shop: Shop, many: int, clients: int, kills: int) -> Seen:
    """60 at each of two stores; the second keeps 5 for safety and 8 for walk-ins: 115 in all."""
    sku = open_shop.stocked(60, "L1")
    open_shop.append("StockReceived", sku=sku, location_id="L2", quantity=60)
    open_shop.append(
        "StockPolicySet", location_id="L2", sku=sku, safety_stock=5, store_share=8,
        company_threshold=5, valid_from=0,
    )  # fmt: skip
    open_shop.until(lambda: open_shop.reserve(sku, 102, location_id="", dry_run=True).is_success)
    open_shop.until(lambda: open_shop.reserve(sku, 103, location_id="", dry_run=True).is_error)
    seen = rushed(
        open_shop, Mixed(open_shop.url, sku, many, ttl=3_600), sku, many, clients, kills, 0
    )
    settled(open_shop, sku)
    grants = open_shop.road.sql(GRANTS, sku)
    assert seen.contradictions == []
    assert {"", "L1", "L2"} == {row[1] for row in grants}
    assert most_promised(grants, lambda *_: True) <= 115
    assert most_promised(grants, lambda place, _: place == "L1") <= 60
    assert most_promised(grants, lambda place, _: place == "L2") <= 55
    assert most_promised(grants, lambda _, channel: channel == "EC") <= 102
    assert sum(row[3] for row in grants if row[5] is None) > 100, "hardly anything was promised"
    assert open_shop.short(open_shop.reads, sku) is None
    return seen


def test_stores_and_online_orders_share_what_there_is(open_shop: Shop) -> None:
    seen = shared_fairly(open_shop, many=300, clients=40, kills=1)
    assert seen.statuses["reserve", 409] > 20


@pytest.mark.long
def test_ten_thousand_share_what_there_is_while_the_decider_dies(open_shop: Shop) -> None:
    for _ in range(4):
        shared_fairly(open_shop, many=2_500, clients=40, kills=5)
    assert open_shop.road.verb("verify", "stock")["tested"]["promised_twice"] >= 4


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
