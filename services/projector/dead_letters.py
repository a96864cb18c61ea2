"""Lists dead letters, retries one, or marks one as dropped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from projections.core.fold import Folded, Group, HandlerFailed
from projections.core.instants import micros
from schemas.wire.codec import Undecodable, decode, is_key_of
from schemas.wire.effective import RECEIVED_AT, effective_event
from services.projector.batch import OTHER_CONTENT
from services.runtime.producer import KafkaRecord, Producer

Connection = psycopg.AsyncConnection[Any]
_COLUMNS = (
    'id, topic, partition, "offset", stage, error_class, reason, event_id, record_key,'
    " record_value, headers, status, grps, note, appended_at, seen_at, resolved_at"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of `dead_letter`: the full record, why it was refused, and its status.

    `grps`: owners, that is groups, or `group/projection` if only a projection refused it.
    """

    id: int
    topic: str
    partition: int
    offset: int
    stage: str
    error_class: str
    reason: str
    event_id: UUID | None
    record_key: bytes | None
    record_value: bytes | None
    headers: list[list[str | None]]
    status: str
    grps: list[str]
    note: str | None
    appended_at: datetime
    seen_at: datetime
    resolved_at: datetime | None


class CannotRetry(Exception):
    """Appending the record again would not apply it; the text says why."""


async def listed(
    connection: Connection, status: str | None, stage: str | None, topic: str | None, limit: int
) -> list[Letter]:
    """At most `limit` dead letters, oldest first; a filter that is None matches all."""
    async with connection.cursor(row_factory=class_row(Letter)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from dead_letter"
            " where (%(status)s::text is null or status = %(status)s)"
            " and (%(stage)s::text is null or stage = %(stage)s)"
            " and (%(topic)s::text is null or topic = %(topic)s) order by id limit %(limit)s",
            {"status": status, "stage": stage, "topic": topic, "limit": limit},
        )
        return await cursor.fetchall()


async def one(connection: Connection, letter_id: int) -> Letter | None:
    """The dead letter with this id; None if there is none."""
    async with connection.cursor(row_factory=class_row(Letter)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from dead_letter where id = %s", [letter_id])
        return await cursor.fetchone()


def dry_run(letter: Letter, group: Group) -> None:
    """Raises `CannotRetry` if a retry cannot apply the record; changes nothing."""
    of_projections = [name.partition("/")[2] for name in letter.grps if "/" in name]
    if len(of_projections) == len(letter.grps):
        raise CannotRetry(
            f"the group has applied the record, only {', '.join(of_projections)} skips it: fix the"
            " handler of that projection and raise its version, so that it is built anew"
        )
    if letter.error_class == OTHER_CONTENT:
        raise CannotRetry(f"{letter.reason}: the source has to send a correction of that document")
    if letter.stage == "conflict":
        raise CannotRetry(
            "another event was applied under this id: the source has to send a"
            " correction with a new id"
        )
    try:
        event: Any = effective_event(decode(letter.record_value), headers_of(letter), 0)
    except Undecodable as error:
        raise CannotRetry(f"the record still cannot be decoded: {error.reason}") from None
    if letter.topic != event.TOPIC:
        raise CannotRetry(f"{event.NAME} belongs to the topic {event.TOPIC}, not {letter.topic}")
    if not is_key_of(event, letter.record_key):
        raise CannotRetry("the record's key differs from the event's key")
    try:
        group.take(event, event.meta.event_id, 0, Folded())
    except HandlerFailed as error:
        raise CannotRetry(str(error)) from None


async def send_again(connection: Connection, producer: Producer, letter: Letter) -> str:
    """Appends the record to its topic again and marks the dead letter as retried.

    Key and value are unchanged. The headers have the time of the first arrival (`headers_of`), so
    that the times of the event do not depend on the retry. Returns the new topic, partition and
    offset as text.
    """
    record = KafkaRecord(
        letter.topic,
        letter.record_key or b"",
        letter.record_value or b"",
        headers_of(letter),
    )
    (at,) = await producer.append([record])
    place = f"{at.topic}-{at.partition} @ {at.offset}"
    await resolve(connection, letter.id, "retried", f"sent again: {place}")
    return place


def headers_of(letter: Letter) -> list[tuple[str, bytes]]:
    """The record's headers, the time of its arrival first: as the gateway measured it, else Kafka's
    timestamp, if that is greater than 0.
    """
    headers = [(str(name), bytes.fromhex(value or "")) for name, value in letter.headers]
    appended = micros(letter.appended_at)
    if appended <= 0 or (headers and headers[0][0] == RECEIVED_AT):
        return headers
    return [(RECEIVED_AT, b"%d" % (appended + 999)), *headers]  # it is cut to milliseconds


async def resolve(connection: Connection, letter_id: int, status: str, note: str) -> bool:
    """Sets the status and a note; returns False if no open dead letter has this id."""
    cursor = await connection.execute(
        "update dead_letter set status = %s, note = %s, resolved_at = now()"
        " where id = %s and status = 'open'",
        [status, note, letter_id],
    )
    return cursor.rowcount == 1
