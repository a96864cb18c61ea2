"""Verifies conflicts: reads the first record of an event id or document from Kafka and compares.

The hashes of a resend also differ if only a field differs that the gateway fills in, or a code that
was appended before codes had a normal form. That is rare, so Kafka is read only for records whose
hashes indicate a conflict.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from uuid import UUID

from schemas.wire import codec, sameness
from schemas.wire.documents import document_of
from services.projector.batch import APPLIED, DOCUMENT, BatchWork, Seen, Verdict
from services.projector.store import Connection
from services.runtime.arrays import array, columns
from services.runtime.record_at import RecordReader

NO_CONTENT = 1 << 64  # no hash has so many bits
PLACES = """
select event_id, document, topic, partition, "offset" from ledger
where event_id = any(%s::uuid[]) and document is not null
order by topic, partition, "offset"
"""
CONTENTS = """
update ledger l set content = x.content
from unnest(%s::uuid[], %s::bigint[]) as x(document, content)
where l.document = x.document and l.content is null
"""
# a record of this batch that stored its id: the first, or the first copy of a document
FIRST = (APPLIED, Verdict.DUPLICATE)
PLACE = """
select topic, partition, "offset" from ledger where event_id = %(id)s
union all
select topic, partition, "offset" from duplicate_document where event_id = %(id)s
"""


def compare(
    work: BatchWork,
    connection: Connection,
    topics: dict[str, int],
    placed: RecordReader,
    wanted: Callable[[BatchWork], bool],
) -> bool:
    """Turns conflicts in `work.doubted` into duplicates if they equal the applied record of their
    event id, except for fields that the gateway fills in.

    All earlier batches are stored, so the applied record is in this batch or in the event ledger.
    Returns False if `wanted` says that the batch is not needed any more, else True. Raises
    KafkaSilent; called again after an error, it continues with the rest.
    """
    names = {number: name for name, number in topics.items()}
    stored = _stored(work)
    values: dict[bytes, bytes | None] = {}
    while work.doubted:
        if not wanted(work):
            return False
        entry = work.doubted[-1]
        event_id, later = entry.event_id, entry.record.value
        assert event_id is not None and later is not None
        by_id = entry.verdict is Verdict.CONFLICT and entry.told_before is None
        if by_id:
            if event_id not in stored and event_id not in values:
                values[event_id] = _in_log(connection, event_id, names, placed)
            first = stored.get(event_id) or values.get(event_id)
            if first is not None and sameness.same_as_produced(first, later):
                entry.verdict = Verdict.DUPLICATE
        work.doubted.pop()
    return True


def _stored(work: BatchWork) -> dict[bytes, bytes]:
    """By event id: the value of its first stored record in this batch, for ids in conflicts."""
    ids = {entry.event_id for entry in work.doubted} & work.ids.keys()
    values: dict[bytes, bytes] = {}
    for part in work.slices if ids else ():
        for entry in part.entries:
            event_id, value = entry.event_id, entry.record.value
            if event_id in ids and entry.verdict in FIRST and event_id is not None:
                assert value is not None
                values.setdefault(event_id, value)
    return values


def _in_log(
    connection: Connection, event_id: bytes, names: dict[int, str], placed: RecordReader
) -> bytes | None:
    with connection.transaction():
        row = connection.execute(PLACE, {"id": UUID(bytes=event_id)}).fetchone()
    return None if row is None else placed.value(names[row[0]], row[1], row[2])


def read_documents(
    work: BatchWork, connection: Connection, topics: dict[str, int], placed: RecordReader
) -> dict[bytes, Seen]:
    """Reads, from Kafka, the content of documents for which the ledger has no content hash.

    Stores the hashes in the ledger; returns them with the event ids, by document. If the first
    record is gone, the content is `NO_CONTENT`, which equals no hash. Raises KafkaSilent.
    """
    names = {number: name for name, number in topics.items()}
    with connection.transaction():
        rows = connection.execute(PLACES, [array("uuid", list(work.unread.values()))]).fetchall()
    known: dict[bytes, Seen] = {}
    values: dict[tuple[int, ...], bytes | None] = {}
    for place, several in groupby(rows, key=lambda row: (row[2], row[3])):
        offsets = [row[4] for row in several]
        read_here = placed.values(names[place[0]], place[1], offsets)
        values.update({(*place, offset): value for offset, value in read_here.items()})
    for event_id, document, *at in rows:
        value = values[tuple(at)]
        told = None if value is None else document_of(codec.decode(value))
        content = NO_CONTENT if told is None else told[1]
        known[DOCUMENT + document.bytes] = content, event_id.bytes
    read = sorted((key[1:], said[0]) for key, said in known.items() if said[0] != NO_CONTENT)
    if read:
        with connection.transaction():
            connection.execute(CONTENTS, columns(("uuid", "bigint"), read))
    return known
