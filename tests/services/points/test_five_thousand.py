"""Five thousand orders, a third of them brought back in part, points spent in between, deciders
killed: does everybody have what a plain sum says, and does any order of the same facts say so?
"""

from __future__ import annotations

import random
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka import Consumer, TopicPartition

from projections import discover
from projections.core.fold import Group
from schemas.topics import TOPICS
from schemas.wire import codec
from tests.projections.driving import Engine, Log
from tests.projections.histories import Sent, interleaved
from tests.services.points.program import Program, program

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]
RULES = {"earn": [{"points": 1, "per": 30}], "return_policy": "go_negative", "rounding": "half_up"}
FOLDED = ("purchases", "catalog", "point_balance")


BELOW_ZERO = """
select profile_id, lot_id, sum(points) from point_entry
where lot_id is not null group by 1, 2 having sum(points) < 0
"""


@dataclass
class Order:
    """What a plain shop remembers of an order."""

    who: UUID
    sale: UUID
    lines: list[tuple[str, int, int]]
    back: Counter[int] = field(default_factory=Counter)
    spent: int = 0

    def keeps(self) -> int:
        """Earned on what stays, rounded down line by line; what it cost in points, less what the
        part that came back is worth."""
        earned = 0
        for no, (_, units, paid) in enumerate(self.lines, 1):
            points = floor(Fraction(paid, 30) + Fraction(1, 2))
            earned += points - ceil(Fraction(points * self.back[no], units))
        paid = sum(one[2] for one in self.lines)
        gone = sum(Fraction(one[2] * self.back[no], one[1]) for no, one in enumerate(self.lines, 1))
        return earned - self.spent + floor(self.spent * gone / paid)


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with program(tmp_path_factory.mktemp("orders")) as own:
        own.sets(RULES)
        yield own


@pytest.mark.parametrize(
    ("many", "interleavings"), [(600, 5), pytest.param(5_000, 20, marks=pytest.mark.long)]
)
def test_everybody_has_what_a_plain_sum_says_in_any_order_of_the_facts(
    shop: Program, many: int, interleavings: int
) -> None:
    orders = _trade(shop, many, random.Random(20))
    wanted: Counter[UUID] = Counter()
    for order in orders:
        wanted[order.who] += order.keeps()
    rows = shop.road.sql("select profile_id, sum(points)::bigint from point_entry group by 1")
    assert {who: points for who, points in rows if points} == {
        who: points for who, points in wanted.items() if points
    }
    assert shop.road.sql(BELOW_ZERO) == []
    assert shop.road.sql("select count(*) from dead_letter") == [(0,)]
    assert shop.road.sql("select coalesce(sum(conflict), 0)::int from checkpoint") == [(0,)]
    _fold_in_many_orders(shop, interleavings)


def _trade(shop: Program, many: int, chance: random.Random) -> list[Order]:
    """Sales, returns before and after points were spent, a return in ten before its sale."""
    people = [UUID(int=number + 1) for number in range(many // 12)]
    orders, records = [], 0
    for number in range(many):
        lines = [
            (f"sku-{chance.randrange(50)}", chance.randint(1, 4), chance.randint(30, 9_000))
            for _ in range(chance.randint(1, 3))
        ]
        order = Order(chance.choice(people), UUID(int=(7 << 64) + number), lines)
        orders.append(order)
        shop.lists(order.sale, lines)
        early = chance.random() < 0.03
        if early:
            records += _bring_back(shop, order, chance)
        shop.sells(order.who, lines, order.sale, flush=False)
        records += 1
        if not early and chance.random() < 0.14:
            records += _bring_back(shop, order, chance)
        if (number + 1) % (many // 5) == 0:
            shop.flush()
            _kill(shop)
    shop.quiet(records)
    _spend(shop, orders, chance)
    for order in chance.sample(orders, many * 15 // 100):
        records += _bring_back(shop, order, chance)
    shop.flush()
    _kill(shop)
    shop.quiet(records)
    return orders


def _kill(shop: Program) -> None:
    shop.road.last("commands").send_signal(signal.SIGKILL)
    shop.road.last("commands").wait()
    shop.again()
    shop.wait()


def _bring_back(shop: Program, order: Order, chance: random.Random) -> int:
    """Some units of some lines; how many records that makes."""
    units = {
        no: chance.randint(1, left)
        for no, (_, sold, _) in enumerate(order.lines, 1)
        if (left := sold - order.back[no]) and chance.random() < 0.7
    }
    if not units:
        return 0
    shop.brings(order.who, order.sale, units, flush=False)
    order.back.update(units)
    return 1


def _spend(shop: Program, orders: list[Order], chance: random.Random) -> None:
    """Most of what there is, whatever has come back of it before."""
    by_person: dict[UUID, list[Order]] = defaultdict(list)
    for order in orders:
        by_person[order.who].append(order)
    for who, own in list(by_person.items())[: len(orders) // 33]:
        order = chance.choice(own)
        points = shop.stored(who) * 9 // 10
        if points > 0:
            answer = shop.redeem(who, points, transaction_id=str(order.sale))
            assert answer.status_code == 200, answer.text
            order.spent = points
    shop.until(
        lambda: (
            shop.road.sql("select count(*) from points_hold where state = 'captured'")[0][0] == 0
        ),
        60,
    )
    shop.quiet(0)


def _fold_in_many_orders(shop: Program, interleavings: int) -> None:
    """The log's own facts, decisions among them, with batches cut anywhere."""
    sent = [Sent(event, number) for number, event in enumerate(_facts(shop.road.endpoints.kafka))]
    group = Group("main", [one for one in discover() if one.name in FOLDED])
    engine = Engine(shop.road.endpoints, group)
    try:
        live = _live(shop, group)
        for seed in range(interleavings):
            engine.reset()
            log, cut = Log(), random.Random(seed)
            for one in interleaved(sent, seed):
                log.append(one.event)
                if cut.random() < 0.0015:
                    engine.apply(log.batch())
            engine.apply(log.batch())
            for table in group.tables:
                rows = engine.rows(table)
                assert len(rows) == live[table.name][0], table.name
                if seed == 0:
                    first = {one.name: engine.rows(one) for one in group.tables}
                assert rows == first[table.name], table.name
            assert _digest(engine) == live["point_entry"][1]
    finally:
        engine.close()


DIGEST = """
select md5(string_agg(e::text, '|' order by event_id, number)) from (
    select event_id, number, profile_id, lot_id, kind, points, at, active_from, expires_at,
        transaction_id, line_no, rule_version from point_entry
) e
"""


def _digest(engine: Engine) -> str:
    row = engine.connection.execute(DIGEST.encode()).fetchone()
    assert row is not None
    return str(row[0])


def _live(shop: Program, group: Group) -> dict[str, tuple[int, str]]:
    """How many rows each table has, and what the entries are in short."""
    digest = str(shop.road.sql(DIGEST)[0][0])
    return {
        table.name: (int(shop.road.sql(f"select count(*) from {table.name}")[0][0]), digest)
        for table in group.tables
    }


def _facts(kafka: str) -> Iterator[Any]:
    """Every event of the topics that points follow from, once, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": "orders", "enable.auto.commit": False}
    )
    ids: set[bytes] = set()
    try:
        for topic in ("commerce.purchases", "commerce.points", "commerce.catalog"):
            for number in range(TOPICS[topic].partitions):
                place = TopicPartition(topic, number, 0)
                _, end = consumer.get_watermark_offsets(place, timeout=10)
                consumer.assign([place])
                at = 0
                while at < end:
                    for message in consumer.consume(min(2_000, end - at), 1.0):
                        at = int(message.offset() or 0) + 1
                        event = codec.decode(message.value())
                        if event.meta.event_id not in ids:
                            ids.add(event.meta.event_id)
                            yield event
    finally:
        consumer.close()
