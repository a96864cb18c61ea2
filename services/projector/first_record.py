"""Verifies conflicts: reads the applied record of the event id again from Kafka and compares.

The hashes of a resend also differ if only a field differs that the gateway fills in. That is rare
and concerns few event types, so Kafka is read only for records whose hashes indicate a conflict.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from schemas.wire import sameness
from services.projector.batch import APPLIED, BatchWork, Verdict
from services.projector.store import Connection
from services.runtime.record_at import RecordReader

PLACE = 'select topic, partition, "offset" from ledger where event_id = %s'


def compare(
    work: BatchWork,
    connection: Connection,
    topics: dict[str, int],
    placed: RecordReader,
    wanted: Callable[[BatchWork], bool],
) -> bool:
    """Turns conflicts in `work.doubted` into duplicates if they equal the applied record of their
    event id.

    All earlier batches are stored, so the applied record is in this batch or in the event ledger.
    Called again after an error, it continues with the rest. Returns False if `wanted` says that
    the batch is not needed any more.
    """
    names = {number: name for name, number in topics.items()}
    applied = _applied(work)
    values: dict[bytes, bytes | None] = {}
    while work.doubted:
        if not wanted(work):
            return False
        entry = work.doubted[-1]
        event_id, later = entry.event_id, entry.record.value
        assert event_id is not None and later is not None
        if entry.verdict is Verdict.CONFLICT and sameness.may_be_filled(entry.read().NAME):
            if event_id not in applied and event_id not in values:
                values[event_id] = _in_log(connection, event_id, names, placed)
            first = applied.get(event_id) or values.get(event_id)
            if first is not None and sameness.same_as_produced(first, later):
                entry.verdict = Verdict.DUPLICATE
        work.doubted.pop()
    return True


def _applied(work: BatchWork) -> dict[bytes, bytes]:
    """By event id: values of records that this batch applies and whose ids occur in conflicts."""
    ids = {entry.event_id for entry in work.doubted} & work.ids.keys()
    return {
        entry.event_id: entry.record.value
        for part in (work.slices if ids else ())
        for entry in part.entries
        if entry.event_id in ids and entry.verdict is APPLIED and entry.event_id is not None
        if entry.record.value is not None
    }


def _in_log(
    connection: Connection, event_id: bytes, names: dict[int, str], placed: RecordReader
) -> bytes | None:
    with connection.transaction():
        row = connection.execute(PLACE, [UUID(bytes=event_id)]).fetchone()
    return None if row is None else placed.value(names[row[0]], row[1], row[2])
