"""A batch: records of some partitions, decoded, judged and folded.

Every record gets one verdict: applied, duplicate (a resend, or another sending of a document that
was applied), conflict (same id or same document, other content) or dead letter (undecodable, or
refused by a projection).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from operator import attrgetter
from typing import Any, Protocol

from projections.core.fold import Folded, Group, HandlerFailed
from schemas.wire import codec
from schemas.wire.codec import Undecodable, body_hash, is_key_of, schema_in
from schemas.wire.documents import IDENTIFY, Document
from schemas.wire.effective import effective_event

# what is known of an event id: (hash, schema id); of a document: (content, first event id)
Seen = tuple[int | None, Any]
DOCUMENT = b"d"  # before a document's key, which then differs from every event id
OTHER_CONTENT = "SameDocumentOtherContent"  # the error class of such a conflict
STALE = -1  # no version of `Recent`
PARTITIONS_MAX = 10_000  # a source is a topic's number times this, plus the partition


class Verdict(IntEnum):
    """The verdict on a record."""

    APPLIED = 0
    DUPLICATE = 1
    CONFLICT = 2
    DEAD = 3


APPLIED, CONFLICT, DEAD = Verdict.APPLIED, Verdict.CONFLICT, Verdict.DEAD
VERDICT = attrgetter("verdict")


class ConsumerRecord(Protocol):
    """The attributes of a Kafka client's record that are used."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


STAGES = ("decode", "apply", "store")  # where a record may fail; metrics count by them


@dataclass(slots=True)
class Failure:
    """Why a record is a dead letter. Never contains values of the record."""

    stage: str
    error_class: str
    reason: str


@dataclass(slots=True)
class Entry:
    """One record, its verdict and, until it is folded, its event.

    The event is dropped after folding, because a batch's events take most of a worker's memory;
    `read` decodes it again.
    """

    record: ConsumerRecord
    event: Any = None
    event_id: bytes | None = None
    hash: int = 0
    schema_id: int = 0
    failure: Failure | None = None
    verdict: Verdict = Verdict.APPLIED
    document: Document | None = None  # as far as it was judged by it
    told_before: bytes | None = None  # of a conflict: the event that told the same document

    def read(self) -> Any:
        """Decodes the event again as it is folded, of a record that can be decoded."""
        record = self.record
        return self.event or effective_event(
            codec.decode(record.value), record.headers, record.timestamp
        )


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
    """Recently stored event ids and documents, by which most resends are recognised without
    querying the ledger.

    A record may be judged only by records before it that are stored when it is. So this holds
    stored ids and the ids that the batch in the store thread will store, as it was folded. When
    that batch has to be judged again, its ids are withdrawn first; batches folded after it are
    folded again once it is stored. A missing id costs a ledger query and never changes a verdict,
    since the ledger's unique keys decide.
    """

    def __init__(self, size: int = 40_000) -> None:
        self._size = size
        self.young: dict[bytes, Seen] = {}
        self.old: dict[bytes, Seen] = {}
        self.coming: dict[bytes, Seen] = {}
        self.version = 0
        self.settled = True

    def remember(self, ids: dict[bytes, Seen]) -> None:
        """Adds stored ids; the older half is dropped when it is full.

        It takes no lock: a thread that is folding may miss them.
        """
        if len(self.young) >= self._size:
            self.old, self.young = self.young, {}
        self.young.update(ids)

    def expect(self, ids: dict[bytes, Seen]) -> None:
        """Adds the ids that the batch in the store thread will store."""
        self.coming = ids

    def withdraw(self) -> None:
        """Removes those ids: that batch is judged again, and nothing may be folded until it is
        stored.
        """
        self.coming = {}
        self.version += 1
        self.settled = False

    def settle(self) -> None:
        """The batch is stored."""
        self.settled = True

    def clear(self) -> None:
        """Drops everything, because partitions were claimed anew."""
        self.young, self.old, self.coming = {}, {}, {}
        self.version += 1
        self.settled = True


def decoded(records: Iterable[ConsumerRecord], topic: str) -> list[Entry]:
    """Decodes records of a topic; an undecodable one carries its failure."""
    return [_decoded(record, topic) for record in records]


def _decoded(record: ConsumerRecord, topic: str) -> Entry:
    value = record.value
    try:
        event: Any = effective_event(codec.decode(value), record.headers, record.timestamp)
    except Undecodable as error:
        return Entry(record, failure=Failure("decode", "Undecodable", error.reason))
    assert value is not None
    entry = Entry(record, event, event.meta.event_id, body_hash(value), schema_in(value))
    if topic != event.TOPIC:
        entry.failure = Failure("decode", "WrongTopic", f"{event.NAME} belongs to {event.TOPIC}")
    elif not is_key_of(event, record.key):
        entry.failure = Failure(
            "decode", "WrongKey", "the record's key differs from the event's key"
        )
    return entry


@dataclass(slots=True)
class BatchWork:
    """The content of one transaction."""

    slices: list[Slice] = field(default_factory=list)
    folded: Folded = field(default_factory=Folded)
    ledger: list[tuple[Any, ...]] = field(default_factory=list)
    copies: list[tuple[Any, ...]] = field(default_factory=list)  # documents that are told again
    unread: dict[bytes, bytes] = field(default_factory=dict)  # documents of unknown content
    contradicting: list[bytes] = field(default_factory=list)  # ids that tell another content
    ids: dict[bytes, Seen] = field(default_factory=dict)  # what it will store, as it is folded
    refused: list[Entry] = field(default_factory=list)  # by a handler, as far as it is folded
    doubted: list[Entry] = field(default_factory=list)  # conflicts, by their hashes alone
    recent_version: int = STALE
    run: int = 0

    @property
    def size(self) -> int:
        """Number of records."""
        return sum(len(one.entries) for one in self.slices)

    def fold(self, group: Group, recent: Recent, topics: dict[str, int]) -> None:
        """Judges and folds every record."""
        for entry in self.refused:
            entry.failure = None
        self.folded, self.ledger, self.ids, self.refused = Folded(), [], {}, []
        self.doubted, self.copies, self.unread, self.contradicting = [], [], {}, []
        self.recent_version = recent.version
        for one in self.slices:
            self._fold_slice(one, group, recent, topics[one.topic])

    def add(self, one: Slice, group: Group, recent: Recent, topics: dict[str, int]) -> None:
        """Judges and folds one more slice, unless the batch before is being judged again."""
        self.slices.append(one)
        if not recent.settled:
            self.recent_version = STALE
            return
        if len(self.slices) > 1 and self.recent_version != recent.version:
            self.fold(group, recent, topics)
            return
        self.recent_version = recent.version
        self._fold_slice(one, group, recent, topics[one.topic])

    def begin(self, group: Group, recent: Recent, topics: dict[str, int]) -> None:
        """Starts its turn, when all before it is stored; folds it again if it was folded
        too early.
        """
        if self.recent_version != recent.version:
            self.fold(group, recent, topics)
        recent.expect(self.ids)

    def judge_again(
        self, group: Group, recent: Recent, topics: dict[str, int], known: dict[bytes, Seen]
    ) -> None:
        """Judges and folds again, with the ledger's entries `known` of its ids.

        Records of later batches were judged by this batch's ids. They stay valid if the ledger has
        the same entries.
        """
        if any(self.ids.get(event_id, seen) != seen for event_id, seen in known.items()):
            recent.withdraw()
        recent.expect({})  # its own ids are not before it
        recent.remember(known)
        self.fold(group, recent, topics)
        if recent.settled:
            recent.expect(self.ids)

    def halves(self) -> list[BatchWork]:
        """Two batches of half the records each, in order, without offset gaps within a half."""
        left = self.size // 2
        halves = BatchWork(run=self.run), BatchWork(run=self.run)
        for whole in self.slices:
            cut = min(left, len(whole.entries))
            left -= cut
            for half, start, end in ((halves[0], 0, cut), (halves[1], cut, len(whole.entries))):
                if start < end:
                    entries, first = whole.entries[start:end], whole.first + start
                    half.slices.append(Slice(whole.topic, whole.partition, first, entries))
        return list(halves)

    def counts(self) -> dict[tuple[str, int], Counter[Verdict]]:
        """Number of records by partition and verdict."""
        counts: dict[tuple[str, int], Counter[Verdict]] = {}
        for one in self.slices:
            verdicts = counts.setdefault((one.topic, one.partition), Counter())
            verdicts.update(map(VERDICT, one.entries))
        return counts

    def _fold_slice(self, one: Slice, group: Group, recent: Recent, topic: int) -> None:
        partition, source = one.partition, topic * PARTITIONS_MAX + one.partition
        take, folded, note, ids = group.take, self.folded, self.ledger.append, self.ids
        identified = IDENTIFY.get
        own, coming, young, old = ids.get, recent.coming.get, recent.young.get, recent.old.get
        for entry in one.entries:
            event_id = entry.event_id
            if entry.failure is not None or event_id is None:
                entry.verdict = DEAD
                continue
            before = own(event_id) or coming(event_id) or young(event_id) or old(event_id)
            if before is not None:
                entry.verdict = _resent(entry, before)
                if entry.verdict is CONFLICT:
                    entry.told_before = None
                    self.doubted.append(entry)
                continue
            event = entry.read()
            identify = identified(type(event))
            document = identify(event) if identify is not None else None
            if document is not None:
                entry.document = document
                key = DOCUMENT + document[0]
                before = own(key) or coming(key) or young(key) or old(key)
                # told under this very id: the ledger says how
                if before is not None and before[1] != event_id:
                    self._tell_again(entry, event, before, topic, partition)
                    continue
            try:
                take(event, event_id, source, folded)
            except HandlerFailed as error:
                entry.failure = Failure("apply", type(error.__cause__).__name__, str(error))
                entry.verdict = DEAD
                self.refused.append(entry)
                continue
            entry.verdict = APPLIED
            entry.event = None
            hash_, schema = entry.hash, entry.schema_id
            ids[event_id] = hash_, schema
            offset = entry.record.offset
            if document is None:
                note((event_id, hash_, schema, topic, partition, offset, None, None))
            else:
                ids[key] = document[1], event_id
                note((event_id, hash_, schema, topic, partition, offset, *document))

    def _tell_again(
        self, entry: Entry, event: Any, before: Seen, topic: int, partition: int
    ) -> None:
        """Judges a record whose document was applied before under another id.

        `event`: of the record; the entry forgets it, since a batch may be judged several times.
        """
        assert entry.document is not None and entry.event_id is not None
        profile_id = getattr(event, "profile_id", None)
        entry.event, (content, first) = None, before
        if content == entry.document[1]:
            entry.verdict = Verdict.DUPLICATE
            self.ids[entry.event_id] = entry.hash, entry.schema_id
            record = entry.event_id, entry.hash, entry.schema_id
            self.copies.append((*record, topic, partition, entry.record.offset, first, profile_id))
            return
        if content is None:
            self.unread[entry.document[0]] = first
        entry.verdict, entry.told_before = CONFLICT, first
        self.contradicting.append(entry.event_id)


def _resent(entry: Entry, before: Seen) -> Verdict:
    if before == (entry.hash, entry.schema_id):
        return Verdict.DUPLICATE
    hash_, schema_id = before
    same = codec.same_event(entry.record.value, schema_id, hash_)  # type: ignore[arg-type]
    return Verdict.DUPLICATE if same else Verdict.CONFLICT
