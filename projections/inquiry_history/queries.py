"""Queries about inquiries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from projections.core import NotFound, Page, Read, Subject
from projections.core.instants import instant
from projections.inquiry_history import CLOSING, STAFF_NOTE, inquiry, merge, message, projection
from projections.inquiry_history.conversations import JoinedInquiries as Together
from projections.inquiry_history.conversations import Status, conversations
from schemas.fields import AskedCode, AskedLocation

# in a circle of merges the oldest is left out: the inquiry that it merged is the head
_HEAD_OF_CIRCLE = """(
    with recursive way as (
        select m.inquiry_id, m.into_id, m.merged_at
        from inquiry_merge m where m.inquiry_id = inquiry.inquiry_id
        union
        select m.inquiry_id, m.into_id, m.merged_at
        from way join inquiry_merge m on m.inquiry_id = way.into_id
    )
    select bool_or(into_id = inquiry.inquiry_id)
        and (array_agg(inquiry_id order by merged_at, inquiry_id))[1] = inquiry.inquiry_id
    from way
)"""
_IS_HEAD = f"""(
    not exists (select from inquiry_merge m where m.inquiry_id = inquiry.inquiry_id)
    or {_HEAD_OF_CIRCLE}
)"""
_COUNTS = {
    by: f"select {by} as value, count(*) as inquiries from inquiry where {by} is not null"
    f" and {by} > %(after)s and {_IS_HEAD} group by {by} order by {by} limit %(limit)s"
    for by in ("topic", "sku", "store_id")
}


def _together(start: str) -> str:
    """A SELECT of inquiries and of all that are merged with them, each with the note with which
    it was closed, sealed. `start`: a SELECT of their ids.
    """
    return f"""
with recursive start as ({start}), part as (
    select inquiry_id from start
    union
    select near.inquiry_id from part cross join lateral (
        select m.into_id as inquiry_id from inquiry_merge m where m.inquiry_id = part.inquiry_id
        union all
        select m.inquiry_id from inquiry_merge m where m.into_id = part.inquiry_id
    ) near
)
select inquiry.*, merged_at, into_id,
    note.event_id as note_event_id, note.subject_id as note_subject_id, note.text as note_text
from part join inquiry using (inquiry_id) left join inquiry_merge using (inquiry_id)
left join lateral (
    select event_id, subject_id, text from inquiry_message said
    where said.inquiry_id = inquiry.inquiry_id and said.author = '{CLOSING}'
    and said.occurred_at = inquiry.closed_at order by event_id desc limit 1
) note on true
"""


class Inquiry(BaseModel):
    """One inquiry, with those that were merged into it (`merged`).

    `status`: a customer's message after the closing opens it again. It waits until somebody writes.
    `closed_at`, `resolution`, `note`: only while it is closed. `resolution`: a code, or the words
    of records of before; where there is neither, the note. `note`: what staff wrote when it was
    closed; null for callers without the right, and for erased persons.
    `reopened_at`: the newest message or reopening after a closing, while it is open.
    """

    inquiry_id: UUID
    merged: list[UUID]
    status: Status
    profile_id: UUID | None
    opened_at: datetime | None
    channel: str | None
    topic: str | None
    sku: str | None
    store_id: str | None
    transaction_id: UUID | None
    line_no: int | None
    messages: int
    answered_at: datetime | None
    closed_at: datetime | None
    reopened_at: datetime | None
    assigned_to: str | None
    waiting_for: str | None
    waiting_until: datetime | None
    resolution: str | None
    note: str | None


class Message(BaseModel):
    """A message, or a note of staff (author STAFF_NOTE).

    `inquiry_id`: the inquiry that it was sent to, even if that was merged since. `text` is null for
    callers without the right, and for erased persons.
    """

    inquiry_id: UUID
    occurred_at: datetime
    author: str
    text: str | None


class Conversation(BaseModel):
    """One inquiry with its messages."""

    inquiry: Inquiry
    conversation: list[Message]


class Count(BaseModel):
    """Number of inquiries with a value."""

    value: str
    inquiries: int


@projection.query("/v1/inquiries", scope="inquiries:read")
async def inquiries(
    read: Read,
    page: Page,
    topic: str | None = None,
    sku: AskedCode | None = None,
    store_id: AskedLocation | None = None,
) -> list[Inquiry]:
    """Inquiries page by page, by topic, item or store; merged ones are in what they are part of."""
    limit, after = page.limit, page.after
    rows = await read.select(
        [inquiry, merge, message],
        _together(
            "select inquiry_id from inquiry where (%(topic)s::text is null or topic = %(topic)s)"
            " and (%(sku)s::text is null or sku = %(sku)s)"
            " and (%(store_id)s::text is null or store_id = %(store_id)s)"
            " and (%(after)s::uuid is null or inquiry_id > %(after)s)"
            f" and {_IS_HEAD} order by inquiry_id limit %(limit)s"
        ),
        topic=topic,
        sku=sku,
        store_id=store_id,
        after=after[0] if after else None,
        limit=limit + 1,
    )
    listed = sorted(conversations(rows), key=lambda one: one.head["inquiry_id"])
    if len(listed) > limit:
        read.more([listed[limit - 1].head["inquiry_id"]])
    return [await _inquiry(read, one) for one in listed[:limit]]


@projection.query("/v1/inquiries/counts", scope="inquiries:read")
async def counts(read: Read, page: Page, by: Literal["topic", "sku", "store_id"]) -> list[Count]:
    """Number of inquiries per topic, item or store; merged ones count once."""
    limit, after = page.limit, page.after
    rows = await read.select(
        [inquiry, merge], _COUNTS[by], after=after[0] if after else "", limit=limit + 1
    )
    if len(rows) > limit:
        read.more([rows[limit - 1]["value"]])
    return [Count(**row) for row in rows[:limit]]


@projection.query("/v1/inquiries/{inquiry_id}", scope="inquiries:read")
async def conversation(read: Read, inquiry_id: UUID) -> Conversation:
    """One inquiry with its messages, and with those that are merged with it; by the id of any."""
    rows = await read.select(
        [inquiry, merge, message],
        _together("select %(inquiry_id)s::uuid as inquiry_id"),
        inquiry_id=inquiry_id,
    )
    if not rows:
        raise NotFound("no such inquiry")
    (together,) = conversations(rows)
    told = await read.rows(message, inquiry_id=[row["inquiry_id"] for row in together.rows])
    told.sort(key=lambda row: (row["occurred_at"], row["event_id"]))
    return Conversation(
        inquiry=await _inquiry(read, together),
        conversation=[await _message(read, row) for row in told if row["author"] != CLOSING],
    )


@projection.query("/v1/members/{member_id}/inquiries", scope="inquiries:read", part="inquiries")
async def inquiries_of(read: Read, member: Subject) -> list[Inquiry]:
    """All inquiries of the member over all channels, oldest first."""
    rows = await read.select(
        [inquiry, merge, message],
        _together("select inquiry_id from inquiry where profile_id = any(%(profiles)s)"),
        profiles=list(member.ids),
    )
    own = [one for one in conversations(rows) if one.owner() in member.ids]
    listed = [await _inquiry(read, one) for one in own]
    return sorted(listed, key=lambda one: (one.opened_at or _NEVER, one.inquiry_id))


async def _message(read: Read, row: dict[str, Any]) -> Message:
    field = "note" if row["author"] == STAFF_NOTE else "text"
    return Message(
        inquiry_id=row["inquiry_id"],
        occurred_at=instant(row["occurred_at"]),
        author=row["author"],
        text=await read.reveal(row["subject_id"], row["event_id"], field, row["text"]),
    )


async def _inquiry(read: Read, together: Together) -> Inquiry:
    head, state = together.head, together.state()
    note = resolution = None
    if (closing := state.closing) is not None:
        note = await _closing_note(read, closing)
        resolution = closing["resolution"] or note
    return Inquiry(
        **{name: head[name] for name in _OF_THE_HEAD},
        merged=together.merged,
        status=state.status,
        profile_id=together.owner(),
        opened_at=_time(together.opened_at),
        messages=sum(row["messages"] for row in together.rows),
        answered_at=_time(together.answered_at),
        closed_at=_time(state.closed_at),
        reopened_at=_time(state.reopened_at),
        assigned_to=state.assigned_to,
        waiting_for=state.waiting_for,
        waiting_until=_time(state.waiting_until),
        resolution=resolution,
        note=note,
    )


async def _closing_note(read: Read, row: Mapping[str, Any]) -> str | None:
    if row["note_text"] is None:
        return None
    return await read.reveal(row["note_subject_id"], row["note_event_id"], "note", row["note_text"])


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else instant(micros)


_NEVER = datetime.max.replace(tzinfo=UTC)
_OF_THE_HEAD = ("inquiry_id", "channel", "topic", "sku", "store_id", "transaction_id", "line_no")
