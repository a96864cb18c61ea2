"""A group whose verdicts are wrong, in everything that is stored, and what would be right.

A projector once judged a resend before the record that it resends: the later record was applied,
the first put aside as its conflict. This writes such a state with the engine's own transactions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from confluent_kafka import Consumer, TopicPartition

from projections import discover
from projections.core.fold import Folded, Group, HandlerFailed
from projections.core.memory import Memory
from schemas.topics import TOPICS
from schemas.wire import codec
from schemas.wire.documents import document_of
from services.projector.app import topics_to_apply
from services.projector.apply import Applier
from services.projector.batch import BatchWork, Entry, Failure, Slice, Verdict, decoded
from services.projector.database import prepare
from services.runtime.config import Settings
from services.runtime.db import conninfo
from services.verify.log import Log, Place

APPLIED, DUPLICATE, CONFLICT, DEAD = Verdict
UNREAD = Failure("decode", "Undecodable", "this release has no schema with the id 9")
UNSTORABLE = Failure("store", "DataError", "Postgres cannot hold a value of this event")
At = tuple[str, int, int]


@dataclass
class Story:
    """Of some ids, the value that was applied; of some values, what became of their first."""

    applied: dict[bytes, bytes] = field(default_factory=dict)
    unstorable: set[bytes] = field(default_factory=set)
    unread: set[bytes] = field(default_factory=set)  # by a projector that knew the schema not yet


class Written:
    """The log as it stands, entry by entry, in the order of its partitions."""

    def __init__(self, kafka: str, story: Story) -> None:
        self.story = story
        self.slices: list[Slice] = []
        ends = _ends(kafka)
        log = Log(kafka, dict.fromkeys(ends, 0))
        records: dict[Place, list[Any]] = {place: [] for place in ends}
        while fetched := log.read(ends):
            for place, several in fetched.items():
                records[place] += several
        log.close()
        for (topic, partition), several in sorted(records.items()):
            self.slices.append(Slice(topic, partition, 0, decoded(several, topic)))
        self.unread: set[At] = set()
        sent = set[bytes | None]()
        for part in self.slices:
            for entry in part.entries:
                value = entry.record.value
                if value in story.unread and value not in sent:
                    self.unread.add(_at(part, entry))
                sent.add(value)

    def verdicts(self, chosen: Mapping[bytes, Place]) -> dict[At, Verdict]:
        """What is right: the first that can be applied; in `chosen`, where two partitions meet."""
        verdicts: dict[At, Verdict] = {}
        applied: dict[bytes, Entry] = {}
        later: list[tuple[At, Entry]] = []
        for part in self.slices:
            for entry in part.entries:
                at, event_id = _at(part, entry), entry.event_id or b""
                if entry.failure is not None or at in self.unread:
                    verdicts[at] = DEAD
                elif event_id in applied:
                    verdicts[at] = _resent(entry, applied[event_id])
                elif chosen.get(event_id, at[:2]) != at[:2]:
                    later.append((at, entry))
                elif entry.record.value in self.story.unstorable:
                    verdicts[at] = DEAD
                else:
                    verdicts[at], applied[event_id] = APPLIED, entry
        for at, entry in later:
            verdicts[at] = _resent(entry, applied[entry.event_id or b""])
        return verdicts

    def memory(self, verdicts: Mapping[At, Verdict]) -> Memory:
        """A plain fold of what is applied."""
        group = Group("main", discover())
        memory = Memory(group)
        numbers = {topic: number for number, topic in enumerate(TOPICS)}
        for part in self.slices:
            for entry in part.entries:
                if verdicts[_at(part, entry)] is APPLIED:
                    memory.take(entry.read(), numbers[part.topic] * 10_000 + part.partition)
        return memory


def write(settings: Settings, written: Written) -> dict[At, Verdict]:
    """Applies the log with the story's verdicts; gives them."""
    group = Group("main", discover())
    prepare(settings.postgres, group)
    verdicts: dict[At, Verdict] = {}
    winners = _winners(written)
    info = conninfo(settings.postgres)
    with psycopg.connect(info, autocommit=True) as connection:
        topics = dict(connection.execute("select name, no from topic").fetchall())
        applier = Applier(group, uuid4(), topics)
        for part in written.slices:
            place = (part.topic, part.partition)
            connection.execute(
                "insert into checkpoint (grp, topic, partition) values ('main', %s, %s)", place
            )
            applier.epochs[place] = 0
            if part.entries:
                applier.apply(
                    connection, _judged(part, written, winners, group, topics[part.topic])
                )
            verdicts |= {_at(part, entry): entry.verdict for entry in part.entries}
        connection.execute("delete from redis_pending")
    return verdicts


def changed(before: Mapping[At, Verdict], after: Mapping[At, Verdict]) -> set[At]:
    """Where the verdicts differ."""
    return {at for at in after if before[at] is not after[at]}


def rows(settings: Settings, statement: str) -> list[Any]:
    with psycopg.connect(conninfo(settings.postgres), autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def counts(verdicts: Mapping[At, Verdict]) -> dict[Place, Counter[Verdict]]:
    """By partition."""
    by_place: dict[Place, Counter[Verdict]] = defaultdict(Counter)
    for (topic, partition, _), verdict in verdicts.items():
        by_place[topic, partition][verdict] += 1
    return by_place


def balances(memory: Memory) -> dict[UUID, int]:
    """Points by profile."""
    points: Counter[UUID] = Counter()
    for row in memory.rows["point_entry"].values():
        points[UUID(bytes=row["profile_id"])] += row["points"]
    return dict(points)


def cells(memory: Memory) -> dict[tuple[str, str], tuple[int, int]]:
    """Stock by item and location: on hand and committed."""
    (table,) = [table for table in memory.group.tables if table.name == "stock_cell"]
    return {
        (row["sku"], row["location_id"]): (row["on_hand"], row["committed"])
        for row in memory.table(table).values()
    }


def _winners(written: Written) -> dict[bytes, tuple[At, Entry]]:
    """By id, the record that the story applies: the last of its value, or simply the first."""
    winners: dict[bytes, tuple[At, Entry]] = {}
    for part in written.slices:
        for entry in part.entries:
            if entry.failure is None and entry.event_id is not None:
                told = written.story.applied.get(entry.event_id)
                at = _at(part, entry)
                if at in written.unread:
                    continue
                if told == entry.record.value or (told is None and entry.event_id not in winners):
                    winners[entry.event_id] = (at, entry)
    return winners


def _judged(
    part: Slice, written: Written, winners: Mapping[bytes, tuple[At, Entry]], group: Group, no: int
) -> BatchWork:
    folded, ledger = Folded(), list[tuple[Any, ...]]()
    source = no * 10_000 + part.partition
    for entry in part.entries:
        at, event_id = _at(part, entry), entry.event_id
        if at in written.unread:
            entry.failure = UNREAD
        if entry.failure is not None or event_id is None:
            entry.verdict = DEAD
            continue
        won_at, won = winners[event_id]
        if won_at != at:
            entry.verdict = _resent(entry, won)
            continue
        if entry.record.value in written.story.unstorable:
            entry.failure, entry.verdict = UNSTORABLE, DEAD
            continue
        try:
            group.take(entry.read(), event_id, source, folded)
        except HandlerFailed as error:
            raise AssertionError("no handler refuses what is told here") from error
        entry.verdict = APPLIED
        record = event_id, entry.hash, entry.schema_id, no, part.partition, entry.record.offset
        ledger.append((*record, *(document_of(entry.read()) or (None, None))))
    return BatchWork([part], folded, ledger)


def _resent(entry: Entry, held: Entry) -> Verdict:
    value = entry.record.value
    assert value is not None
    return DUPLICATE if codec.same_event(value, held.schema_id, held.hash) else CONFLICT


def _at(part: Slice, entry: Entry) -> At:
    return (part.topic, part.partition, entry.record.offset)


def _ends(kafka: str) -> dict[Place, int]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "ends"})
    group = Group("main", discover())
    ends = {
        (topic, partition): consumer.get_watermark_offsets(TopicPartition(topic, partition))[1]
        for topic in topics_to_apply(group)
        for partition in range(TOPICS[topic].partitions)
    }
    consumer.close()
    return ends
