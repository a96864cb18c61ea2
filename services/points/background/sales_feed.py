"""Which sales may have to be judged again? What the log says about purchases, items and rules.

A record is a hint and nothing else: what it says is read from the projections, which hold it
before it is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.generated.events import (
    ItemDescribed,
    PointsRedeemed,
    ProgramRulesSet,
    PurchaseAttributed,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
)
from schemas.wire import codec
from services.runtime.db import Connection
from services.runtime.rows import rows_of

FOLLOWED = ("commerce.purchases", "commerce.catalog", "commerce.points")
AT_ONCE = 2_000
Purchase = PurchaseCompleted | PurchaseReturned | PurchaseVoided | PurchaseAttributed
Place = tuple[str, int]
CURSOR = "select topic, partition, next_offset from hitotsu.points_cursor"
APPLIED = """
select topic, partition, next_offset from hitotsu.checkpoint where grp = %s and topic = any(%s)
"""
MOVE = """
insert into hitotsu.points_cursor (topic, partition, next_offset)
select * from unnest(%s::text[], %s::int[], %s::bigint[])
on conflict (topic, partition) do update set next_offset = excluded.next_offset
"""
DUE = """
insert into hitotsu.points_due (transaction_id, owner_id)
select * from unnest(%s::uuid[], %s::uuid[])
on conflict (transaction_id) do update set failed = null,
    owner_id = case when excluded.owner_id = excluded.transaction_id then points_due.owner_id
        else excluded.owner_id end
"""
# points spent on what came back before they were known to be spent
PAID_WITH = """
insert into hitotsu.points_due (transaction_id, owner_id)
select distinct on (transaction_id) transaction_id, profile_id from hitotsu.points_decided
where transaction_id = any(%s::uuid[]) and units > 0 order by transaction_id
on conflict (transaction_id) do update set failed = null
"""
RULES_CAME = """
insert into hitotsu.points_due (transaction_id, owner_id)
select distinct on (transaction_id) transaction_id, owner_id from purchase
where occurred_at >= %s order by transaction_id, owner_id
on conflict (transaction_id) do update set failed = null
"""
ITEM_CAME = """
insert into hitotsu.points_due (transaction_id, owner_id)
select distinct on (d.transaction_id) d.transaction_id, d.profile_id
from hitotsu.points_decided d
join unnest(%s::text[], %s::bigint[], %s::text[]) as x(sku, valid_from, category)
    on d.sku = x.sku collate "C" and d.sold_at >= x.valid_from
        and d.category is distinct from x.category
on conflict (transaction_id) do update set failed = null
"""


class Hints:
    """Reads the log from where it was left, and never beyond what the group has applied.

    Which partitions there are the group's checkpoints say: one that is added is read from its
    beginning as soon as the group has taken it.
    """

    def __init__(self, kafka: str, group: str) -> None:
        self._kafka, self._group = kafka, group
        self._consumer: Any = None
        self._next: dict[Place, int] = {}
        self._assigned: set[Place] = set()

    async def open(self, connection: Connection) -> None:
        """Begins where the cursor stands; raises `KafkaError` while Kafka is away."""
        await self.close()
        rows = await rows_of(connection, CURSOR, [])
        self._next = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        self._assigned = set()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka, group_id=None, enable_auto_commit=False,
            auto_offset_reset="earliest", request_timeout_ms=10_000,
        )  # fmt: skip
        self._consumer = consumer
        await consumer.start()

    async def close(self) -> None:
        """Lets go of Kafka."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def follow(self, connection: Connection) -> bool:
        """Notes what is due and moves on, in one transaction; whether there was anything."""
        if self._consumer is None:
            await self.open(connection)
        rows = await rows_of(connection, APPLIED, [self._group, list(FOLLOWED)])
        ends = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        behind = [place for place, end in ends.items() if self._next.get(place, 0) < end]
        if not behind:
            return False
        self._assign(ends)
        found = await self._consumer.getmany(
            *(TopicPartition(*place) for place in behind), timeout_ms=200, max_records=AT_ONCE
        )
        events, moved = [], dict(self._next)
        for place, records in found.items():
            for record in records:
                if record.offset >= ends[place.topic, place.partition]:
                    self._consumer.seek(place, record.offset)
                    break
                moved[place.topic, place.partition] = record.offset + 1
                events += _event(record.value)
        if moved == self._next:
            return False
        async with connection.transaction():
            await _note(connection, events)
            await _move(connection, moved)
        self._next = moved
        return True

    def _assign(self, places: Iterable[Place]) -> None:
        """Takes partitions on that were not read so far; the others go on where they are."""
        if self._assigned.issuperset(places):
            return
        self._assigned.update(places)
        self._consumer.assign([TopicPartition(*place) for place in sorted(self._assigned)])
        for place in self._assigned:
            self._consumer.seek(TopicPartition(*place), self._next.get(place, 0))


def _event(value: bytes | None) -> list[Any]:
    """What cannot be read is among the dead letters, and comes again if it is mended."""
    try:
        return [codec.decode(value)]
    except codec.Undecodable:
        return []


async def _note(connection: Connection, events: Iterable[Any]) -> None:
    purchases: dict[UUID, UUID] = {}
    paid_with: set[UUID] = set()
    items: dict[tuple[str, int], str] = {}
    rules = []
    for event in events:
        if isinstance(event, Purchase):
            # a claim is of a guest's purchase, which is found by itself
            owner = None if isinstance(event, PurchaseAttributed) else event.profile_id
            sale = UUID(bytes=event.transaction_id)
            purchases[sale] = UUID(bytes=owner) if owner else purchases.get(sale, sale)
        elif isinstance(event, PointsRedeemed) and event.transaction_id is not None:
            paid_with.add(UUID(bytes=event.transaction_id))
        elif isinstance(event, ItemDescribed):
            items[event.sku, event.valid_from] = event.category
        elif isinstance(event, ProgramRulesSet):
            rules.append(event.valid_from)
    if purchases:
        await connection.execute(DUE, [list(purchases), list(purchases.values())])
    if paid_with:
        await connection.execute(PAID_WITH, [sorted(paid_with)])
    if rules:
        await connection.execute(RULES_CAME, [min(rules)])
    if items:
        columns = [[sku for sku, _ in items], [at for _, at in items], list(items.values())]
        await connection.execute(ITEM_CAME, columns)


async def _move(connection: Connection, moved: Mapping[Place, int]) -> None:
    await connection.execute(
        MOVE,
        [[topic for topic, _ in moved], [number for _, number in moved], list(moved.values())],
    )


__all__ = ["Hints", "KafkaError"]
