"""Queries about inquiries."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from projections.core import NotFound, Page, Read, Subject
from projections.core.instants import instant
from projections.inquiry_history import CLOSING, inquiry, message, projection

_COLUMNS = (
    "inquiry_id, profile_id, opened_at, channel, topic, sku, store_id, transaction_id, line_no,"
    " messages, answered_at, closed_at, resolution"
)
# the last note with which each was closed, sealed
_LISTED = f"""
select {_COLUMNS}, note.event_id as note_event_id, note.subject_id as note_subject_id, note.text
from inquiry left join lateral (
    select event_id, subject_id, text from inquiry_message said
    where said.inquiry_id = inquiry.inquiry_id and said.author = '{CLOSING}'
    order by occurred_at desc, event_id desc limit 1
) note on inquiry.closed_at is not null
"""
_COUNTS = {
    by: f"select {by} as value, count(*) as inquiries from inquiry where {by} is not null"
    f" and {by} > %(after)s group by {by} order by {by} limit %(limit)s"
    for by in ("topic", "sku", "store_id")
}


class Inquiry(BaseModel):
    """One inquiry, from opened to closed.

    `resolution`: a code, or the words of records of before; where there is neither, the note.
    `note`: what staff wrote when it was closed; absent for callers without the right, and for
    erased persons.
    """

    inquiry_id: UUID
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
    resolution: str | None
    note: str | None


class Message(BaseModel):
    """A message. `text` is absent for callers without the right, and for erased persons."""

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
    sku: str | None = None,
    store_id: str | None = None,
) -> list[Inquiry]:
    """Inquiries page by page, by topic, item or store."""
    limit, after = page.limit, page.after
    rows = await read.select(
        [inquiry, message],
        f"{_LISTED} where (%(topic)s::text is null or topic = %(topic)s)"
        " and (%(sku)s::text is null or sku = %(sku)s)"
        " and (%(store_id)s::text is null or store_id = %(store_id)s)"
        " and (%(after)s::uuid is null or inquiry_id > %(after)s)"
        " order by inquiry_id limit %(limit)s",
        topic=topic,
        sku=sku,
        store_id=store_id,
        after=after[0] if after else None,
        limit=limit + 1,
    )
    if len(rows) > limit:
        read.more([rows[limit - 1]["inquiry_id"]])
    return [await _listed(read, row) for row in rows[:limit]]


@projection.query("/v1/inquiries/counts", scope="inquiries:read")
async def counts(read: Read, page: Page, by: Literal["topic", "sku", "store_id"]) -> list[Count]:
    """Number of inquiries per topic, item or store."""
    limit, after = page.limit, page.after
    rows = await read.select(
        [inquiry], _COUNTS[by], after=after[0] if after else "", limit=limit + 1
    )
    if len(rows) > limit:
        read.more([rows[limit - 1]["value"]])
    return [Count(**row) for row in rows[:limit]]


@projection.query("/v1/inquiries/{inquiry_id}", scope="inquiries:read")
async def conversation(read: Read, inquiry_id: UUID) -> Conversation:
    """One inquiry with its messages."""
    rows = await read.rows(inquiry, inquiry_id=inquiry_id)
    if not rows:
        raise NotFound("no such inquiry")
    said, note = list[Message](), None
    for row in sorted(
        await read.rows(message, inquiry_id=inquiry_id), key=lambda row: row["occurred_at"]
    ):
        field = "note" if row["author"] == CLOSING else "text"
        text = await read.reveal(row["subject_id"], row["event_id"], field, row["text"])
        if row["author"] == CLOSING:
            note = text
            continue
        said.append(
            Message(occurred_at=instant(row["occurred_at"]), author=row["author"], text=text)
        )
    return Conversation(inquiry=_inquiry(rows[0], note), conversation=said)


@projection.query("/v1/members/{member_id}/inquiries", scope="inquiries:read", part="inquiries")
async def inquiries_of(read: Read, member: Subject) -> list[Inquiry]:
    """All inquiries of the member over all channels, oldest first."""
    rows = await read.select(
        [inquiry, message],
        f"{_LISTED} where profile_id = any(%(profiles)s) order by opened_at, inquiry_id",
        profiles=list(member.ids),
    )
    return [await _listed(read, row) for row in rows]


async def _listed(read: Read, row: dict[str, Any]) -> Inquiry:
    sealed, note = row["text"], None
    if sealed is not None:
        note = await read.reveal(row["note_subject_id"], row["note_event_id"], "note", sealed)
    return _inquiry(row, note)


def _inquiry(row: dict[str, Any], note: str | None) -> Inquiry:
    times = {
        name: None if row[name] is None else instant(row[name])
        for name in ("opened_at", "answered_at", "closed_at")
    }
    shown = {name: row[name] for name in Inquiry.model_fields if name != "note"}
    resolution = row["resolution"] or note
    return Inquiry(**{**shown, **times, "resolution": resolution, "note": note})
