"""Reads from Kafka the events that a group has applied, from a position up to its checkpoints.

Records that the group did not apply (resends, conflicts, dead letters) are left out; the event
ledger has the offset at which an event was applied. A dead letter that is retried is a new record,
and is read at its new offset.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.generated.events import Event
from schemas.history.releases import releases
from schemas.wire import codec
from schemas.wire.effective import effective_event
from services.runtime.db import Connection
from services.runtime.rows import rows_of

CHECKPOINTS = """
select topic, partition, next_offset from hitotsu.checkpoint where grp = %s and topic = any(%s)
"""
NOT_APPLIED = """
select x.n
from unnest(%s::uuid[], %s::text[], %s::int[], %s::bigint[]) with ordinality
    as x(id, topic, partition, at, n)
left join hitotsu.topic t on t.name = x.topic
left join ledger l on l.event_id = x.id and l.topic = t.no and l.partition = x.partition
    and l."offset" = x.at
where l.event_id is null
"""
FETCH_MS = 200
Place = tuple[str, int]
"""A topic and a partition of it."""


@dataclass(frozen=True, slots=True)
class AppliedEvent:
    """An applied event as it was folded, and the place of its record in Kafka."""

    topic: str
    partition: int
    offset: int
    event: Event


@dataclass(frozen=True, slots=True)
class AppliedBatch:
    """Applied events, in order within a partition; `ends`: the next offsets to read.

    `ends` has only partitions of which records were read.
    """

    events: list[AppliedEvent]
    ends: dict[Place, int]

    def ends_of(self, topic: str) -> dict[int, int]:
        """The next offsets of one topic, by partition."""
        return of_topic(self.ends, topic)


async def checkpoints(
    connection: Connection, group: str, topics: Collection[str]
) -> dict[Place, int]:
    """The next offset that the group will apply, by partition of these topics."""
    rows = await rows_of(connection, CHECKPOINTS, [group, list(topics)])
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


def of_topic(offsets: Mapping[Place, int], topic: str) -> dict[int, int]:
    """The offsets of one topic, by partition."""
    return {partition: at for (name, partition), at in offsets.items() if name == topic}


class AppliedLog:
    """Reads topics from any position, without a Kafka consumer group.

    Its partitions are those of the group's checkpoints. So a new partition is read, from its
    beginning, as soon as the group has read it.
    """

    def __init__(
        self,
        kafka: str,
        group: str,
        topics: Sequence[str],
        max_records: int = 250,
        only: Iterable[type[Event]] | None = None,
    ) -> None:
        """`group`: the projection group whose event ledger tells which records were applied.

        `max_records`: maximum number of records in a batch. `only`: events of other types are left
        out, and are not decoded; None: no type is left out.
        """
        self._kafka, self._group, self.topics = kafka, group, tuple(topics)
        self._max_records = max_records
        self._schemas = None if only is None else _schema_ids(only)
        self._consumer: Any = None
        self._next: dict[Place, int] = {}

    async def close(self) -> None:
        """Closes the consumer; the next `read` creates another."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def ends(self, connection: Connection) -> dict[Place, int]:
        """The next offset that the group will apply, by partition."""
        return await checkpoints(connection, self._group, self.topics)

    async def read(
        self, connection: Connection, start: Mapping[Place, int], ends: Mapping[Place, int]
    ) -> AppliedBatch:
        """A batch of applied events from the offsets `start` on, before the offsets `ends`.

        Empty if there is nothing to read, or Kafka returned nothing within 200 ms. A partition
        missing in `start` is read from its beginning. `connection`: with the group's schema on the
        search path. Raises `KafkaError`, and then closes the consumer.
        """
        wanted = {place: start.get(place, 0) for place in ends}
        behind = [place for place, at in wanted.items() if at < ends[place]]
        if not behind:
            return AppliedBatch([], {})
        try:
            await self._seek(wanted)
            events, moved = await self._fetched(behind, ends)
        except KafkaError:
            await self.close()
            raise
        return AppliedBatch(await self._applied(connection, events), moved)

    async def _fetched(
        self, behind: Sequence[Place], ends: Mapping[Place, int]
    ) -> tuple[list[AppliedEvent], dict[Place, int]]:
        fetched = await self._consumer.getmany(
            *(TopicPartition(*place) for place in behind),
            timeout_ms=FETCH_MS, max_records=self._max_records,
        )  # fmt: skip
        events, moved = list[AppliedEvent](), dict[Place, int]()
        for place, records in fetched.items():
            for record in records:
                if record.offset >= ends[place]:
                    self._consumer.seek(place, record.offset)
                    break
                self._next[place] = moved[place] = record.offset + 1
                if self._schemas is None or _schema_of(record.value) in self._schemas:
                    events += _decoded(record)
        return events, moved

    async def _seek(self, wanted: Mapping[Place, int]) -> None:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._kafka, group_id=None, enable_auto_commit=False,
                auto_offset_reset="earliest", request_timeout_ms=10_000,
            )  # fmt: skip
            await self._consumer.start()
            self._next = {}
        if not self._next.keys() >= wanted.keys():
            self._consumer.assign([TopicPartition(*place) for place in sorted(wanted)])
            self._next = dict.fromkeys(wanted, -1)
        for place, at in wanted.items():
            if self._next[place] != at:
                self._consumer.seek(TopicPartition(*place), at)
                self._next[place] = at

    async def _applied(
        self, connection: Connection, events: list[AppliedEvent]
    ) -> list[AppliedEvent]:
        if not events:
            return []
        columns = [
            [UUID(bytes=read.event.meta.event_id) for read in events],
            [read.topic for read in events],
            [read.partition for read in events],
            [read.offset for read in events],
        ]
        rows = await rows_of(connection, NOT_APPLIED, columns)
        left_out = {row["n"] - 1 for row in rows}
        return [read for number, read in enumerate(events) if number not in left_out]


def _schema_ids(types: Iterable[type[Event]]) -> frozenset[int]:
    """The ids of all schema versions of these types."""
    return frozenset(
        release.id for event_type in types for release in releases().of(event_type.NAME)
    )


def _schema_of(value: bytes | None) -> int | None:
    """The schema id that a record's value begins with; None if it is too short for one."""
    return None if value is None or len(value) < codec.HEADER else codec.schema_in(value)


def _decoded(record: Any) -> Iterable[AppliedEvent]:
    """The record's event; empty if it cannot be decoded, because it is a dead letter then."""
    try:
        event: Event = effective_event(codec.decode(record.value), record.headers, record.timestamp)
    except codec.Undecodable:
        return []
    return [AppliedEvent(record.topic, record.partition, record.offset, event)]
