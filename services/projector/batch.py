"""What is in a batch? Records of some partitions, decoded, judged and folded.

A record ends as one of: applied, duplicate (a resend), conflict (same id, other body) or dead
letter (unreadable, or refused by a projection). Every record gets exactly one verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from operator import attrgetter
from typing import Any, Protocol

from projections.core.fold import Folded, Group, HandlerFailed
from schemas import codec
from schemas.codec import Undecodable, body_hash, key_of, schema_in

Seen = tuple[int, int]  # (hash, schema id)


class Verdict(IntEnum):
    """What became of a record."""

    APPLIED = 0
    DUPLICATE = 1
    CONFLICT = 2
    DEAD = 3


APPLIED, DEAD = Verdict.APPLIED, Verdict.DEAD
VERDICT = attrgetter("verdict")


class ConsumerRecord(Protocol):
    """What is needed of a record as the Kafka client hands it over."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(slots=True)
class Failure:
    """Why a record is a dead letter. Never holds values of the record."""

    stage: str
    error_class: str
    reason: str


@dataclass(slots=True)
class Entry:
    """One record and what is known of it.

    Its event is let go once it is folded, for a batch of them is most of what a worker holds; it
    can be read again.
    """

    record: ConsumerRecord
    event: Any = None
    event_id: bytes | None = None
    hash: int = 0
    schema_id: int = 0
    failure: Failure | None = None
    verdict: Verdict = Verdict.APPLIED

    def read(self) -> Any:
        """The event of a record that can be read."""
        return self.event or codec.decode(self.record.value)


@dataclass(slots=True)
class Slice:
    """Consecutive records of one partition."""

    topic: str
    partition: int
    first: int
    entries: list[Entry]

    @property
    def end(self) -> int:
        """The offset after the last record."""
        return self.first + len(self.entries)


class Recent:
    """Ids that this process has folded lately: spares the database most resends.

    A hint with one duty: it must never hold an id whose batch was given up, so whoever gives a
    batch up clears it and raises `version`, and batches folded before are judged again.
    """

    def __init__(self, size: int = 40_000) -> None:
        self._size = size
        self._young: dict[bytes, Seen] = {}
        self._old: dict[bytes, Seen] = {}
        self.version = 0

    def get(self, event_id: bytes) -> Seen | None:
        """The hash and schema under which the id was folded."""
        return self._young.get(event_id) or self._old.get(event_id)

    def put(self, event_id: bytes, seen: Seen) -> None:
        """Remembers an id; the oldest half is forgotten now and then."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[event_id] = seen

    def forget(self, event_ids: Iterable[bytes]) -> None:
        """Forgets some ids, whose batch is judged anew to the same end."""
        for event_id in event_ids:
            self._young.pop(event_id, None)
            self._old.pop(event_id, None)

    def clear(self) -> None:
        """Forgets everything."""
        self._young, self._old = {}, {}
        self.version += 1


def decoded(records: Iterable[ConsumerRecord], topic: str) -> list[Entry]:
    """Records of a topic as events; what cannot be read carries its failure."""
    return [_decoded(record, topic) for record in records]


def _decoded(record: ConsumerRecord, topic: str) -> Entry:
    value = record.value
    try:
        event: Any = codec.decode(value)
    except Undecodable as error:
        return Entry(record, failure=Failure("decode", "Undecodable", error.reason))
    assert value is not None
    entry = Entry(record, event, event.meta.event_id, body_hash(value), schema_in(value))
    if topic != event.TOPIC:
        entry.failure = Failure("decode", "WrongTopic", f"{event.NAME} belongs to {event.TOPIC}")
    elif key_of(event) != record.key:
        entry.failure = Failure(
            "decode", "WrongKey", "the record's key is not the one its event has"
        )
    return entry


@dataclass(slots=True)
class Work:
    """What one transaction will apply."""

    slices: list[Slice] = field(default_factory=list)
    folded: Folded = field(default_factory=Folded)
    ledger: list[tuple[Any, ...]] = field(default_factory=list)
    recent_version: int = -1
    run: int = 0

    @property
    def size(self) -> int:
        """How many records."""
        return sum(len(one.entries) for one in self.slices)

    def fold(
        self, group: Group, recent: Recent, topics: dict[str, int], known: dict[bytes, Seen]
    ) -> None:
        """Judges and folds every record; `known` is what the ledger holds of these ids."""
        self.folded, self.ledger = Folded(), []
        self.recent_version = recent.version
        for one in self.slices:
            self._fold_slice(one, group, recent, topics[one.topic], known)

    def add(self, one: Slice, group: Group, recent: Recent, topics: dict[str, int]) -> None:
        """Judges and folds one more slice."""
        self.slices.append(one)
        if len(self.slices) > 1 and self.recent_version != recent.version:
            self.fold(group, recent, topics, {})
            return
        self.recent_version = recent.version
        self._fold_slice(one, group, recent, topics[one.topic], {})

    def judge_again(
        self, group: Group, recent: Recent, topics: dict[str, int], known: dict[bytes, Seen]
    ) -> None:
        """Folds without what the ledger holds already.

        Batches folded since were judged by what `recent` said of these ids. Where the ledger says
        the same of each, that still holds; else everything is forgotten and they are judged again.
        """
        said = {
            entry.event_id: (entry.hash, entry.schema_id)
            for one in self.slices
            for entry in one.entries
            if entry.verdict is APPLIED and entry.event_id is not None
        }
        same = all(said.get(event_id, seen) == seen for event_id, seen in known.items())
        if same and self.recent_version == recent.version:
            recent.forget(said)
        else:
            recent.clear()
        self.fold(group, recent, topics, known)
        for event_id, seen in known.items():
            recent.put(event_id, seen)

    def counts(self) -> dict[tuple[str, int], Counter[Verdict]]:
        """How many records of each partition got each verdict."""
        counts: dict[tuple[str, int], Counter[Verdict]] = {}
        for one in self.slices:
            verdicts = counts.setdefault((one.topic, one.partition), Counter())
            verdicts.update(map(VERDICT, one.entries))
        return counts

    def _fold_slice(
        self, one: Slice, group: Group, recent: Recent, topic: int, known: dict[bytes, Seen]
    ) -> None:
        partition, source = one.partition, topic * 10_000 + one.partition
        take, folded, note = group.take, self.folded, self.ledger.append
        for entry in one.entries:
            event_id = entry.event_id
            if entry.failure is not None or event_id is None:
                entry.verdict = DEAD
                continue
            before = recent.get(event_id) or known.get(event_id)
            if before is not None:
                entry.verdict = _resent(entry, before)
                continue
            try:
                take(entry.read(), event_id, source, folded)
            except HandlerFailed as error:
                entry.failure = Failure("apply", type(error.__cause__).__name__, str(error))
                entry.verdict = DEAD
                continue
            entry.verdict = APPLIED
            entry.event = None
            hash_, schema = entry.hash, entry.schema_id
            recent.put(event_id, (hash_, schema))
            note((event_id, hash_, schema, topic, partition, entry.record.offset))


def _resent(entry: Entry, before: Seen) -> Verdict:
    if before == (entry.hash, entry.schema_id):
        return Verdict.DUPLICATE
    same = codec.same_event(entry.record.value, before[1], before[0])  # type: ignore[arg-type]
    return Verdict.DUPLICATE if same else Verdict.CONFLICT
