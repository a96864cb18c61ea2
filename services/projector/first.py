"""Is a conflict one? The first record of its id is read again at its place, and compared.

Hashes differ also where only what the gateway fills in has changed since the first was sent. That
is rare, and only some events have such fields, so it is asked when all else says conflict.
"""

from __future__ import annotations

from uuid import UUID

from schemas import sameness
from services.projector.batch import APPLIED, Entry, Verdict, Work
from services.projector.store import Connection
from services.runtime.placed import Placed

PLACE = 'select topic, partition, "offset" from ledger where event_id = %s'


def compare(work: Work, connection: Connection, topics: dict[str, int], placed: Placed) -> None:
    """Makes duplicates of those of the batch's conflicts that say what the first record said.

    All before the batch is stored, so the first is in the batch or in the ledger.
    """
    for entry in work.doubted:
        if entry.verdict is not Verdict.CONFLICT or not sameness.may_be_filled(entry.read().NAME):
            continue
        first = _in_batch(work, entry) or _in_log(connection, entry, topics, placed)
        later = entry.record.value
        if first is not None and later is not None and sameness.told_again(first, later):
            entry.verdict = Verdict.DUPLICATE
    work.doubted = []


def _in_batch(work: Work, entry: Entry) -> bytes | None:
    if entry.event_id not in work.ids:
        return None
    return next(
        one.record.value
        for part in work.slices
        for one in part.entries
        if one.event_id == entry.event_id and one.verdict is APPLIED
    )


def _in_log(
    connection: Connection, entry: Entry, topics: dict[str, int], placed: Placed
) -> bytes | None:
    with connection.transaction():
        row = connection.execute(PLACE, [UUID(bytes=entry.event_id)]).fetchone()
    if row is None:
        return None
    names = {number: name for name, number in topics.items()}
    return placed.value(names[row[0]], row[1], row[2])
