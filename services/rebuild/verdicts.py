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

import psycopg
from psycopg.rows import TupleRow

from projections.core.fold import Group, HandlerFailed
from projections.core.sql import quoted
from schemas.wire import codec, sameness
from services.projector.apply import failure_of, letter_row
from services.projector.batch import PARTITIONS_MAX, Entry, Failure, Seen, Slice, Verdict
from services.rebuild.group_shadow import JudgedBatch
from services.runtime.arrays import columns
from services.runtime.db import conninfo
from services.runtime.record_at import RecordReader, same_as_first

# No row for an id that the live group applied at this record and the shadow did not apply yet: that
# is the common case, which needs no further check.
KNOWN = """
select x.n, l.topic, l.partition, v.event_id is not null, mine.hash, mine.schema_id,
    mine.topic, mine.partition, mine."offset"
from unnest(%s::uuid[], %s::smallint[], %s::int[], %s::bigint[]) with ordinality
    as x(id, topic, partition, at, n)
left join {live}.ledger l on l.event_id = x.id
left join ledger mine on mine.event_id = x.id
left join void_choice v on v.event_id = x.id
where mine.event_id is not null
    or (l.topic, l.partition, l."offset") is distinct from (x.topic, x.partition, x.at)
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

    None: not in that ledger. `choice_is_void`: the live entry is ignored.
    """

    live_topic: int | None
    live_partition: int | None
    choice_is_void: bool
    hash: int | None
    schema_id: int | None
    topic: int | None
    partition: int | None
    offset: int | None


class VerdictJudge:
    """Judges batches by what the shadow has stored so far; stores nothing itself.

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

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def judge(self, slices: list[Slice]) -> JudgedBatch:
        """Judges and folds the records that follow the stored ones, in order of their partition."""
        work = _Batch(self._group, self._live, self._topics, self._placed)
        known, kept_aside = self._known_ids(slices), self._kept_aside(slices)
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
        self._applied: dict[bytes, Seen] = {}
        self._values: dict[bytes, bytes | None] = {}
        self.batch = JudgedBatch()

    def begin(self, part: Slice) -> None:
        """Notes the offset up to which the slice's partition is judged after this batch."""
        self.batch.counts.setdefault((part.topic, part.partition), Counter())
        self.batch.ends[part.topic, part.partition] = part.end

    def judge(
        self, part: Slice, entry: Entry, known: LedgerRow | None, kept_aside: Failure | None
    ) -> None:
        """Sets the record's verdict, or defers it until another partition is folded.

        `kept_aside`: the failure if the record is a dead letter that stays one; else None.
        """
        failure = entry.failure
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
        assert value is not None and entry.event_id is not None
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
        self.batch.ledger.append((event_id, entry.hash, entry.schema_id, *address))
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
    """The failure to store for an event that a projection refuses."""
    return Failure("apply", type(error.__cause__).__name__, str(error))
