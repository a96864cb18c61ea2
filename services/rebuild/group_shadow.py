"""The shadow schema of a whole group: tables, event ledger, dead letters and counts of verdicts.

Verdicts, rows and positions of a batch are stored in one transaction, so an interrupted rebuild
continues after the last stored batch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from projections.core.fold import Folded
from projections.core.sql import DOCUMENTS_INDEX, LEDGER, quoted
from schemas.wire import codec
from services.projector.batch import Verdict
from services.rebuild import hold_endings
from services.rebuild.fold import CannotRebuild
from services.rebuild.shadow import Shadow, digest
from services.runtime.arrays import columns
from services.runtime.record_at import RecordReader, same_as_first
from services.verify.log import Place

KIND = "(group)"  # row of the table `rebuilt` for the tables below; no projection has this name
_LETTER = """
    topic text not null, partition int not null, "offset" bigint not null, stage text not null,
    error_class text not null, reason text not null, event_id uuid, record_key bytea,
    record_value bytea, headers jsonb not null, appended_at timestamptz not null"""
TABLES = f"""
{LEDGER}{DOCUMENTS_INDEX};
create table rebuilt (projection text primary key, version int not null, shape text not null);
create table progress (
    topic text not null, partition int not null, next_offset bigint not null,
    applied bigint not null, duplicate bigint not null, conflict bigint not null,
    dead_letter bigint not null, primary key (topic, partition)
);
create table letter ({_LETTER}, primary key (topic, partition, "offset"));
-- records of ids that the live group applied in another partition, until that one is folded
create table deferred (
    {_LETTER}, hash bigint not null, schema_id int not null,
    primary key (topic, partition, "offset")
);
-- events that the live group applied in another partition, by whose documents records were judged
create table trusted (event_id uuid primary key);
-- ids whose place in the live ledger is ignored, for nothing could be applied there
create table void_choice (event_id uuid primary key);
{hold_endings.TABLE}"""
COUNTED = ("applied", "duplicate", "conflict", "dead_letter")
ADVANCE = f"""
insert into progress select * from unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[],
    %s::bigint[], %s::bigint[], %s::bigint[])
on conflict (topic, partition) do update set next_offset = excluded.next_offset,
    {", ".join(f"{name} = progress.{name} + excluded.{name}" for name in COUNTED)}
"""
_ADVANCED = ("text", "int", *["bigint"] * 5)
_VALUES = "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, to_timestamp(%s / 1000.0)"
BURY = f"insert into letter values ({_VALUES})"
DEFER = f"insert into deferred values ({_VALUES}, %s, %s)"
# the first under an id: an applied record, or a copy of a document
DEFERRED = """
select d.topic, d.partition, d."offset", d.record_value, l.schema_id, l.hash, d.hash, d.schema_id,
    t.name, l.partition, l."offset"
from deferred d join (
    select event_id, hash, schema_id, topic, partition, "offset" from ledger
    union all select event_id, hash, schema_id, topic, partition, "offset" from duplicate_document
) l on l.event_id = d.event_id
join hitotsu.topic t on t.no = l.topic
"""
TRUST = "insert into trusted select unnest(%s::uuid[]) on conflict do nothing"
BURY_DEFERRED = """
insert into letter select topic, partition, "offset", stage, error_class, reason, event_id,
    record_key, record_value, headers, appended_at
from deferred where topic = %s and partition = %s and "offset" = %s
"""
FORGET_DEFERRED = 'delete from deferred where topic = %s and partition = %s and "offset" = %s'
COUNT = "update progress set {0} = {0} + 1 where topic = %s and partition = %s"
# ids of deferred records and trusted events that were not applied at the record which the live
# ledger names
VOID = """
select w.event_id from (select event_id from deferred union select event_id from trusted) w
left join ledger mine on mine.event_id = w.event_id
left join (
    select event_id, topic, partition, "offset" from {live}.ledger
    union all select event_id, topic, partition, "offset" from {live}.duplicate_document
) l on l.event_id = w.event_id
left join topic t on t.no = l.topic
left join progress p on p.topic = t.name and p.partition = l.partition
where mine.event_id is null and (p.next_offset is null or p.next_offset > l."offset")
"""
IGNORE = "insert into void_choice select unnest(%s::uuid[]) on conflict do nothing"


class ChoiceVoid(Exception):
    """The live ledger names records at which their event ids cannot be applied.

    The fold has to restart and ignore these entries of the live ledger.
    """


@dataclass(slots=True)
class JudgedBatch:
    """Judged records: the content of one transaction.

    `ledger`, `copies`, `letters`, `deferred`: rows to insert. `trusted`: events that the live group
    applied in another partition, and by whose documents records were judged. `counts`: number of
    records by partition and verdict. `ends`: the offset after the last record, by partition.
    """

    folded: Folded = field(default_factory=Folded)
    ledger: list[tuple[Any, ...]] = field(default_factory=list)
    copies: list[tuple[Any, ...]] = field(default_factory=list)
    trusted: set[UUID] = field(default_factory=set)
    letters: list[list[Any]] = field(default_factory=list)
    deferred: list[list[Any]] = field(default_factory=list)
    counts: dict[Place, Counter[Verdict]] = field(default_factory=dict)
    ends: dict[Place, int] = field(default_factory=dict)


class GroupShadow(Shadow):
    """A shadow of all projections of a group, with an event ledger, dead letters and counts."""

    own = TABLES

    def store_judged(self, batch: JudgedBatch) -> None:
        """Stores verdicts, rows and positions in one transaction. Raises CannotRebuild."""
        connection = self.connection
        with connection.transaction():
            if batch.ledger or batch.copies:
                try:
                    if batch.ledger:
                        self._store.ledger(connection, batch.ledger)
                    if batch.copies:
                        self._store.copies(connection, batch.copies)
                except psycopg.errors.UniqueViolation as error:
                    raise CannotRebuild(
                        "an event occurs in this batch and already in the tables of the rebuild:"
                        " start again with `hitotsu rebuild --rejudge --fresh`"
                    ) from error
            if batch.trusted:
                connection.execute(TRUST, [list(batch.trusted)])
            self._store.write(connection, batch.folded)
            with connection.cursor() as cursor:
                cursor.executemany(BURY, batch.letters)
                cursor.executemany(DEFER, batch.deferred)
                cursor.executemany(hold_endings.NOTE, list(hold_endings.noted(batch.folded)))
            rows = [
                (*place, end, *(batch.counts[place][verdict] for verdict in Verdict))
                for place, end in batch.ends.items()
            ]
            connection.execute(ADVANCE, columns(_ADVANCED, rows))

    def resolve_deferred(self, placed: RecordReader) -> None:
        """Judges deferred records whose event id has been applied in another partition by now.

        Raises `ChoiceVoid` if an id cannot be applied at the record that the live ledger names, and
        KafkaSilent.
        """
        connection = self.connection
        for row in connection.execute(DEFERRED).fetchall():
            place, (value, schema_id, hash_, own_hash, own_schema) = row[:3], row[3:8]
            same = (
                (own_hash, own_schema) == (hash_, schema_id)
                or codec.same_event(value, schema_id, hash_)
                or same_as_first(value, placed, (row[8], row[9], row[10]))
            )
            with connection.transaction():
                if not same:
                    connection.execute(BURY_DEFERRED, place)
                name = "duplicate" if same else "conflict"
                connection.execute(COUNT.format(name).encode(), place[:2])
                connection.execute(FORGET_DEFERRED, place)
        void = VOID.format(live=quoted(self.live)).encode()
        ids = [row[0] for row in connection.execute(void).fetchall()]
        if ids:
            connection.execute(IGNORE, [ids])
            raise ChoiceVoid(
                f"{len(ids)} ids cannot be applied at the records that the live ledger names"
            )

    def begin_anew(self) -> None:
        """Empties all tables except the list of event ids whose live ledger entry is ignored."""
        rows = self.connection.execute("select event_id from void_choice").fetchall()
        with self.connection.transaction():
            self.open(fresh=True)
            self.connection.execute(IGNORE, [[row[0] for row in rows]])

    def _wanted(self) -> dict[str, tuple[int, str]]:
        return {**super()._wanted(), KIND: (1, digest(TABLES))}
