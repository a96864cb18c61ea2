"""Is no point spent twice, however many spend and whoever dies?"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.generated.events import PointsEarned, PointsRedeemed
from schemas.generated.events.parts import EarnedLot, LotAllocation
from schemas.topics import TOPICS
from schemas.wire import codec
from tests.services.points.rush import Fact, Rush, Seen, judge
from tests.services.points.wallet import Wallet, wallet

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]
LOTS = (100, 60, 90)


@pytest.fixture(scope="module")
def purse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    with wallet(tmp_path_factory.mktemp("rush")) as own:
        yield own


def members(purse: Wallet, many: int) -> list[UUID]:
    """New ones, with lots that end one after the other."""
    found = [uuid4() for _ in range(many)]
    for number, points in enumerate(LOTS):
        for who in found:
            lot = EarnedLot(
                lot_id=uuid4().bytes, points=points, expires_at=1_900_000_000_000_000 + number
            )
            purse.collect("PointsEarned", profile_id=who.bytes, lots=[lot])
    purse.flush()
    statement = "select count(*) from point_entry where profile_id = any(%s)"
    purse.until(lambda: purse.road.sql(statement, found)[0][0] == many * len(LOTS), 60)
    return found


def facts_about(kafka: str, whose: set[UUID]) -> list[Fact]:
    """Read with another client library; each event once."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": "rush", "enable.auto.commit": False}
    )
    found: dict[bytes, Fact] = {}
    topic = "commerce.points"
    try:
        for partition in range(TOPICS[topic].partitions):
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            consumer.assign([TopicPartition(topic, partition, 0)])
            at = 0
            while at < end:
                for message in consumer.consume(min(1_000, end - at), 1.0):
                    at = int(message.offset() or 0) + 1
                    event: Any = codec.decode(message.value())
                    if UUID(bytes=event.profile_id) in whose:
                        found[event.meta.event_id] = _fact(event)
    finally:
        consumer.close()
    return list(found.values())


def _fact(event: PointsEarned | PointsRedeemed) -> Fact:
    who = UUID(bytes=event.profile_id)
    if isinstance(event, PointsEarned):
        moves = [(who, UUID(bytes=lot.lot_id), lot.points) for lot in event.lots]
    else:
        assert event.points == sum(one.points for one in event.allocations)
        moves = [
            (UUID(bytes=one.profile_id), UUID(bytes=one.lot_id), -one.points)
            for one in event.allocations
        ]
    return Fact(str(UUID(bytes=event.meta.event_id)), tuple(moves))


def rushed(purse: Wallet, who: list[UUID], many: int, clients: int, kills: int, falls: int) -> Seen:
    """The rush, with SIGKILLs of the decider and of Postgres spread over it."""
    chance = random.Random(3)

    async def beside() -> None:
        doings = ["commands"] * kills + ["postgres"] * falls
        chance.shuffle(doings)
        for doing in doings:
            await asyncio.sleep(chance.uniform(0.5, 1.5) * many / 500 / (len(doings) + 1))
            if doing == "commands":
                process = purse.road.last("commands")
                process.kill()
                await asyncio.to_thread(process.wait)
                purse.again()
            else:
                await asyncio.to_thread(purse.stage.kill, "postgres")
                await asyncio.to_thread(purse.stage.start, "postgres")

    return asyncio.run(Rush(purse.url, who, many).run(clients, beside))


def settled(purse: Wallet, who: list[UUID]) -> tuple[list[Fact], dict[UUID, int]]:
    """Every fact in the log and applied; what is shown then."""
    purse.wait()
    unsent = "select 1 from outbox where sent_at is null limit 1"
    captured = "select 1 from points_hold where state = 'captured' limit 1"
    purse.until(lambda: not purse.road.sql(unsent), 90)
    purse.until(lambda: not purse.road.sql(captured), 90)
    summed = purse.road.sql(
        "select profile_id, sum(points)::bigint from point_entry where profile_id = any(%s)"
        " group by 1", who,
    )  # fmt: skip
    return facts_about(purse.road.endpoints.kafka, set(who)), dict(summed)


def fares(purse: Wallet, who: list[UUID], many: int, clients: int, kills: int, falls: int) -> Seen:
    seen = rushed(purse, who, many, clients, kills, falls)
    facts, shown = settled(purse, who)
    assert judge(facts, shown, seen) == []
    assert len(shown) == len(who)
    assert min(shown.values()) >= 0
    for one in who[:20]:
        assert purse.points(one)["balance"] == shown[one]
        assert purse.points(one)["held"] == 0
    return seen


def test_a_rush_on_a_few_members_while_servers_die(purse: Wallet) -> None:
    seen = fares(purse, members(purse, 40), many=1_500, clients=16, kills=2, falls=1)
    assert seen.statuses["redeem", 409] > 50
    assert seen.statuses["redeem", 200] > 200


@pytest.mark.long
def test_twenty_thousand_redemptions_over_five_hundred_members(purse: Wallet) -> None:
    seen = fares(purse, members(purse, 500), many=20_000, clients=16, kills=10, falls=3)
    assert sum(many for (what, _), many in seen.statuses.items() if what == "redeem") == 20_000


def test_a_point_spent_twice_would_be_noticed(purse: Wallet) -> None:
    """The control: a redemption that nobody decided, put into the log by hand."""
    (who,) = members(purse, 1)
    assert purse.redeem(who, sum(LOTS)).status_code == 200
    (lot_id,) = purse.road.sql(
        "select lot_id from point_entry where profile_id = %s and points = 100", who
    )[0]
    twice = purse.append(
        "PointsRedeemed", profile_id=who.bytes, points=1, hold_id=None,
        allocations=[LotAllocation(profile_id=who.bytes, lot_id=lot_id.bytes, points=1)],
    )  # fmt: skip
    purse.until(lambda: purse.stored(who) < 0)
    facts, shown = settled(purse, [who])
    told = Seen(spent={fact.event_id: sum(LOTS) for fact in facts if fact.moves[0][2] < 0})
    told.spent.pop(str(twice))
    found = judge(facts, shown, told)
    assert [said.startswith((f"lot {lot_id}", str(twice))) for said in found] == [True, True]
