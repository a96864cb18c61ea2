"""Gives records their verdict anew, in the order of their partition.

The first record of an event id that can be applied is applied; later ones are resends (duplicates)
or conflicts. Two things are taken from the live group: in which of several partitions an id was
applied, and which records stay dead letters because Postgres could not store them or somebody
retried or dropped them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow

from projections.core.fold import Group, HandlerFailed
from projections.core.sql import quoted
from schemas.wire import codec, sameness
from schemas.wire.documents import document_of
from services.projector.apply import failure_of, letter_row
from services.projector.batch import PARTITIONS_MAX, Entry, Failure, Seen, Slice, Verdict
from services.rebuild.group_shadow import JudgedBatch
from services.runtime.arrays import array, columns
from services.runtime.db import conninfo
from services.runtime.record_at import RecordReader, same_as_first

# no row for an event that the live group applied at this place and the shadow has not stored yet
KNOWN = """
select x.n, coalesce(l.topic, again.topic), coalesce(l.partition, again.partition),
    v.event_id is not null,
    coalesce(mine.hash, copy.hash), coalesce(mine.schema_id, copy.schema_id),
    coalesce(mine.topic, copy.topic), coalesce(mine.partition, copy.partition),
    coalesce(mine."offset", copy."offset")
from unnest(%s::uuid[], %s::smallint[], %s::int[], %s::bigint[]) with ordinality
    as x(id, topic, partition, at, n)
left join {live}.ledger l on l.event_id = x.id
left join {live}.duplicate_document again on again.event_id = x.id
left join ledger mine on mine.event_id = x.id
left join duplicate_document copy on copy.event_id = x.id
left join void_choice v on v.event_id = x.id
where mine.event_id is not null or copy.event_id is not null
    or (coalesce(l.topic, again.topic), coalesce(l.partition, again.partition),
        coalesce(l."offset", again."offset")) is distinct from (x.topic, x.partition, x.at)
"""
# by document: the first event that reported it, in the shadow and in the live group
DOCUMENTS = """
select x.document, mine.event_id, mine.content, l.event_id, l.topic, l.partition, l."offset",
    l.content, v.event_id is not null
from unnest(%s::uuid[]) as x(document)
left join ledger mine on mine.document = x.document
left join {live}.ledger l on l.document = x.document
left join void_choice v on v.event_id = l.event_id
where mine.event_id is not null or l.event_id is not null
"""
KEPT_ASIDE = """
select d.topic, d.partition, d."offset", d.stage, d.error_class, d.reason
from unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[]) as x(topic, partition, first, ending)
join dead_letter d on d.topic = x.topic and d.partition = x.partition
    and d."offset" >= x.first and d."offset" < x.ending
where %s = any(d.grps) and (d.stage = 'store' or d.status <> 'open' and d.stage <> 'conflict')
"""
_ASKED, _RANGES = ("uuid", "smallint", "int", "bigint"), ("text", "int", "bigint", "bigint")
CONFLICT = Entry(None, verdict=Verdict.CONFLICT)  # type: ignore[arg-type]
Address = tuple[str, int, int]


class LedgerRow(NamedTuple):
    """An event id in both ledgers: topic and partition in the live one, record in the shadow's.

    None: not in that ledger. `choice_is_void`: the live entry is ignored. Copies of documents have
    such a row too.
    """

    live_topic: int | None
    live_partition: int | None
    choice_is_void: bool
    hash: int | None
    schema_id: int | None
    topic: int | None
    partition: int | None
    offset: int | None


class DocumentRow(NamedTuple):
    """The first event of a document: in the shadow, and in the live group (`live_…`).

    None: that ledger has no event of the document. `choice_is_void`: the live entry is ignored.
    """

    event_id: UUID | None
    content: int | None
    live_event_id: UUID | None
    live_topic: int | None
    live_partition: int | None
    live_offset: int | None
    live_content: int | None
    choice_is_void: bool


class VerdictJudge:
    """Judges batches by what the shadow and the live group have stored; stores nothing itself.

    `placed`: reads single records from Kafka. `topics`: numbers of topics in ledgers, by name.
    """

    def __init__(
        self, dsn: str, live: str, group: Group, topics: Mapping[str, int], placed: RecordReader
    ) -> None:
        info = conninfo(dsn, group=group.name, name="hitotsu-rebuild")
        self._connection: psycopg.Connection[TupleRow] = psycopg.connect(info, autocommit=True)
        # a few ids in ledgers of millions: force index lookups instead of a hash join
        self._connection.execute("set enable_hashjoin = off; set enable_mergejoin = off")
        self._live, self._group, self._topics, self._placed = live, group, topics, placed
        self._known = KNOWN.format(live=quoted(live)).encode()
        self._documents = DOCUMENTS.format(live=quoted(live)).encode()

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def judge(self, slices: list[Slice]) -> JudgedBatch:
        """Judges and folds the records that follow the stored ones, in order of their partition."""
        work = _Batch(self._group, self._live, self._topics, self._placed)
        known, kept_aside = self._known_ids(slices), self._kept_aside(slices)
        work.told = self._told(slices)
        number = 0
        for part in slices:
            work.begin(part)
            for entry in part.entries:
                about: LedgerRow | None = None
                if entry.failure is None:
                    number += 1
                    about = known.get(number)
                at = (part.topic, part.partition, entry.record.offset)
                work.judge(part, entry, about, kept_aside.get(at))
        return work.batch

    def _known_ids(self, slices: list[Slice]) -> dict[int, LedgerRow]:
        """Ledger rows by the record's number (from 1) among the readable records of `slices`."""
        rows = [
            (entry.event_id, self._topics[part.topic], part.partition, entry.record.offset)
            for part in slices
            for entry in part.entries
            if entry.failure is None
        ]
        if not rows:
            return {}
        answer = self._connection.execute(self._known, columns(_ASKED, rows)).fetchall()
        return {row[0]: LedgerRow(*row[1:]) for row in answer}

    def _told(self, slices: list[Slice]) -> dict[bytes, DocumentRow]:
        """Sets the documents of the entries; returns the ledgers' rows of these, by document."""
        documents = []
        for entry in (entry for part in slices for entry in part.entries):
            if entry.failure is None:
                entry.document = document_of(entry.read())
                if entry.document is not None:
                    documents.append(entry.document[0])
        if not documents:
            return {}
        rows = self._connection.execute(self._documents, [array("uuid", documents)]).fetchall()
        return {row[0].bytes: DocumentRow(*row[1:]) for row in rows}

    def _kept_aside(self, slices: list[Slice]) -> dict[Address, Failure]:
        ranges = [(part.topic, part.partition, part.first, part.end) for part in slices]
        rows = self._connection.execute(KEPT_ASIDE, [*columns(_RANGES, ranges), self._live])
        return {(row[0], row[1], row[2]): Failure(*row[3:]) for row in rows.fetchall()}


class _Batch:
    """A batch while it is judged, with the ids that were applied in it so far."""

    def __init__(
        self, group: Group, live: str, topics: Mapping[str, int], placed: RecordReader
    ) -> None:
        self._group, self._live, self._topics, self._placed = group, live, topics, placed
        self.told: dict[bytes, DocumentRow] = {}
        self._applied: dict[bytes, Seen] = {}
        self._documents: dict[bytes, Seen] = {}
        self._values: dict[bytes, bytes | None] = {}
        self.batch = JudgedBatch()

    def begin(self, part: Slice) -> None:
        """Starts a slice: its end becomes the offset up to which its partition is judged."""
        self.batch.counts.setdefault((part.topic, part.partition), Counter())
        self.batch.ends[part.topic, part.partition] = part.end

    def judge(
        self, part: Slice, entry: Entry, known: LedgerRow | None, kept_aside: Failure | None
    ) -> None:
        """Gives the record its verdict, or defers it until another partition is folded."""
        failure, entry.told_before = entry.failure, None
        if failure is None:
            before = self._before(entry, known)
            if before is not None:
                same = self._is_same(entry, before, known)
                self._count(part, entry, Verdict.DUPLICATE if same else Verdict.CONFLICT)
                return
            failure = kept_aside
            if failure is None and self._is_elsewhere(part, known):
                self._defer(part, entry)
                return
            if failure is None and self._is_told(part, entry):
                return
            failure = failure or self._fold(part, entry)
        if failure is None:
            self._count(part, entry, Verdict.APPLIED)
        else:
            self._count(part, entry, Verdict.DEAD, failure)

    def _before(self, entry: Entry, known: LedgerRow | None) -> Seen | None:
        """Hash and schema id with which the event id was applied; None if it was not applied."""
        assert entry.event_id is not None
        if known is not None and known.hash is not None and known.schema_id is not None:
            return known.hash, known.schema_id
        return self._applied.get(entry.event_id)

    def _is_same(self, entry: Entry, before: Seen, known: LedgerRow | None) -> bool:
        """Whether the record has the same content as the applied record of its event id."""
        value, (hash_, schema_id) = entry.record.value, before
        assert value is not None and entry.event_id is not None and hash_ is not None
        if before == (entry.hash, entry.schema_id) or codec.same_event(value, schema_id, hash_):
            return True
        if known is None or known.topic is None or known.partition is None or known.offset is None:
            first = self._values.get(entry.event_id)
            return first is not None and sameness.same_as_produced(first, value)
        names = {number: name for name, number in self._topics.items()}
        return same_as_first(
            value, self._placed, (names[known.topic], known.partition, known.offset)
        )

    def _is_elsewhere(self, part: Slice, known: LedgerRow | None) -> bool:
        """Whether the live group applied the id in another partition."""
        if known is None or known.live_topic is None or known.choice_is_void:
            return False
        here = (self._topics[part.topic], part.partition)
        return (known.live_topic, known.live_partition) != here

    def _is_told(self, part: Slice, entry: Entry) -> bool:
        """Whether the record's document was reported before; if so, sets the record's verdict."""
        if entry.document is None or entry.event_id is None:
            return False
        document, content = entry.document
        before = self._documents.get(document) or self._told_elsewhere(part, document)
        if before is None:
            return False
        first: bytes = before[1]
        if before[0] == content:
            record = entry.event_id, entry.hash, entry.schema_id
            address = self._topics[part.topic], part.partition, entry.record.offset
            profile_id = getattr(entry.event, "profile_id", None)
            self.batch.copies.append((*record, *address, first, profile_id))
            self._applied[entry.event_id] = entry.hash, entry.schema_id
            self._values[entry.event_id] = entry.record.value
            self._count(part, entry, Verdict.DUPLICATE)
        else:
            entry.told_before = first
            self._count(part, entry, Verdict.CONFLICT)
        return True

    def _told_elsewhere(self, part: Slice, document: bytes) -> Seen | None:
        """Content hash and event id of the document's first event, if the shadow has applied it or
        the live group has, in another partition; else None.

        In the latter case the event is noted in `trusted`: at the end it must have been applied.
        """
        row = self.told.get(document)
        if row is None or (row.event_id is None and row.live_event_id is None):
            return None
        if row.event_id is not None:
            return row.content, row.event_id.bytes
        assert row.live_event_id is not None and row.live_topic is not None
        here = (self._topics[part.topic], part.partition)
        if row.choice_is_void or (row.live_topic, row.live_partition) == here:
            return None
        content = row.live_content
        if content is None:
            names = {number: name for name, number in self._topics.items()}
            address = names[row.live_topic], row.live_partition, row.live_offset
            value = self._placed.value(*address)  # type: ignore[arg-type]
            told = None if value is None else document_of(codec.decode(value))
            content = None if told is None else told[1]
        self.batch.trusted.add(row.live_event_id)
        return content, row.live_event_id.bytes

    def _defer(self, part: Slice, entry: Entry) -> None:
        entry.verdict = Verdict.DUPLICATE  # may turn out a conflict; never applied at this record
        failure = failure_of(CONFLICT)
        assert failure is not None
        row = letter_row(part, entry, failure, self._live)[:-1]
        self.batch.deferred.append([*row, entry.hash, entry.schema_id])

    def _fold(self, part: Slice, entry: Entry) -> Failure | None:
        """Folds the event; returns None, or the failure if a projection refuses it."""
        number, event_id = self._topics[part.topic], entry.event_id
        assert event_id is not None
        source = number * PARTITIONS_MAX + part.partition
        try:
            self._group.take(entry.read(), event_id, source, self.batch.folded)
        except HandlerFailed as error:
            return refusal(error)
        finally:
            entry.event = None
        self._applied[event_id] = (entry.hash, entry.schema_id)
        self._values[event_id] = entry.record.value
        address = (number, part.partition, entry.record.offset)
        document = entry.document or (None, None)
        self.batch.ledger.append((event_id, entry.hash, entry.schema_id, *address, *document))
        if entry.document is not None:
            self._documents[entry.document[0]] = entry.document[1], event_id
        return None

    def _count(
        self, part: Slice, entry: Entry, verdict: Verdict, failure: Failure | None = None
    ) -> None:
        entry.verdict = verdict
        self.batch.counts[part.topic, part.partition][verdict] += 1
        if verdict is Verdict.APPLIED:
            return
        failure = failure or failure_of(entry)
        if failure is not None:
            self.batch.letters.append(letter_row(part, entry, failure, self._live)[:-1])


def refusal(error: HandlerFailed) -> Failure:
    """The failure, of stage `apply`, of an event that a projection refuses."""
    return Failure("apply", type(error.__cause__).__name__, str(error))
