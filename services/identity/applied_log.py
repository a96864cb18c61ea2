"""What happened since? Read up to where the live group applied it, and no further.

What the group put aside (resends, conflicts, dead letters) is left out here too: its ledger says
at which place of the log each event was applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.generated.events import Event
from schemas.wire import codec
from services.runtime.db import Connection
from services.runtime.rows import rows_of

APPLIED = "select partition, next_offset from hitotsu.checkpoint where grp = %s and topic = %s"
NOT_APPLIED = """
select x.n
from unnest(%s::uuid[], %s::int[], %s::bigint[]) with ordinality as x(id, partition, at, n)
left join ledger l on l.event_id = x.id and l.partition = x.partition and l."offset" = x.at
    and l.topic = (select no from hitotsu.topic where name = %s)
where l.event_id is null
"""
AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class AppliedEvent:
    """An event, and where it stands."""

    partition: int
    offset: int
    event: Event


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was applied between two positions, and the next offset of each partition read."""

    events: list[AppliedEvent]
    ends: dict[int, int]


class AppliedLog:
    """Reads a topic in no consumer group, from wherever it is asked to.

    Which partitions there are the group's checkpoints say, so that one that is added is read too.
    """

    def __init__(self, kafka: str, group: str, topic: str) -> None:
        """`group`: whose ledger says what was applied."""
        self._kafka, self._group, self._topic = kafka, group, topic
        self._consumer: Any = None
        self._next: dict[int, int] = {}

    async def close(self) -> None:
        """Lets go of Kafka."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def ends(self, connection: Connection) -> dict[int, int]:
        """Up to where the group has applied each partition."""
        rows = await rows_of(connection, APPLIED, [self._group, self._topic])
        return {row["partition"]: row["next_offset"] for row in rows}

    async def read(
        self, connection: Connection, start: Sequence[int], ends: Mapping[int, int]
    ) -> Stretch:
        """Some of what lies between; nothing when there is nothing. Raises `KafkaError`.

        A partition that `start` does not reach is read from its beginning.
        """
        wanted = {number: offset_in(start, number) for number in ends}
        behind = [number for number, at in wanted.items() if at < ends[number]]
        if not behind:
            return Stretch([], {})
        await self._stand(wanted)
        fetched = await self._consumer.getmany(
            *(TopicPartition(self._topic, number) for number in behind),
            timeout_ms=200, max_records=AT_ONCE,
        )  # fmt: skip
        events, moved = list[AppliedEvent](), dict[int, int]()
        for place, records in fetched.items():
            for record in records:
                if record.offset >= ends[place.partition]:
                    self._consumer.seek(place, record.offset)
                    break
                self._next[place.partition] = moved[place.partition] = record.offset + 1
                events += _decoded(record)
        return Stretch(await self._applied(connection, events), moved)

    async def _stand(self, wanted: Mapping[int, int]) -> None:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._kafka, group_id=None, enable_auto_commit=False,
                auto_offset_reset="earliest", request_timeout_ms=10_000,
            )  # fmt: skip
            await self._consumer.start()
            self._next = {}
        if not self._next.keys() >= wanted.keys():
            places = [TopicPartition(self._topic, number) for number in sorted(wanted)]
            self._consumer.assign(places)
            self._next = dict.fromkeys(wanted, -1)
        for number, at in wanted.items():
            if self._next[number] != at:
                self._consumer.seek(TopicPartition(self._topic, number), at)
                self._next[number] = at

    async def _applied(
        self, connection: Connection, events: list[AppliedEvent]
    ) -> list[AppliedEvent]:
        if not events:
            return []
        columns = [
            [UUID(bytes=one.event.meta.event_id) for one in events],
            [one.partition for one in events],
            [one.offset for one in events],
        ]
        rows = await rows_of(connection, NOT_APPLIED, [*columns, self._topic])
        left_out = {row["n"] - 1 for row in rows}
        return [one for number, one in enumerate(events) if number not in left_out]


def offset_in(positions: Sequence[int], partition: int) -> int:
    """The next offset of a partition; 0 of one that was added after the positions were noted."""
    return positions[partition] if partition < len(positions) else 0


def _decoded(record: Any) -> Iterable[AppliedEvent]:
    """What cannot be read is among the dead letters, and comes again if it is mended."""
    try:
        return [AppliedEvent(record.partition, record.offset, codec.decode(record.value))]
    except codec.Undecodable:
        return []
