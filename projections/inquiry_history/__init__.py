"""Customers' inquiries over all channels: topic, messages, outcome, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator

from projections.core import (
    Projection,
    Row,
    earliest,
    first_by,
    key,
    latest_by,
    maximum,
    plain,
    total,
)
from schemas.generated.events import (
    InquiryAnswered,
    InquiryAssigned,
    InquiryAttributed,
    InquiryClassified,
    InquiryClosed,
    InquiryMerged,
    InquiryMessageAdded,
    InquiryOpened,
    InquiryReopened,
    InquiryWaiting,
    SubjectErased,
)

projection = Projection("inquiry_history", version=3)

CLOSING = "CLOSING"  # the author of the note with which an inquiry was closed
STAFF_NOTE = "STAFF_NOTE"  # the author of any other note
CUSTOMER = "CUSTOMER"
ATTRIBUTED = 1 << 61  # above every time: a decision whose an inquiry is outranks what events name
projection.erases(SubjectErased, subject="profile_id")

# Every column commutes: events of one inquiry have several keys, as it may turn out late whose it
# is. Columns that end in `_rank` order what was told: see `_rank`.
inquiry = projection.table(
    "inquiry",
    inquiry_id=key("uuid"),
    profile_rank=maximum(),
    profile_id=latest_by("uuid", at="profile_rank"),
    opened_at=earliest(),
    channel=first_by("text", at="opened_at", by="channel"),
    topic_rank=maximum(),
    topic=latest_by("text", at="topic_rank"),
    about_at=maximum(),
    sku=latest_by("text", at="about_at"),
    store_id=latest_by("text", at="about_at"),
    transaction_id=latest_by("uuid", at="about_at"),
    line_no=latest_by("int", at="about_at"),
    messages=total("int"),
    asked_at=maximum(),
    answered_at=maximum(),
    closed_at=maximum(),
    resolution=latest_by("text", at="closed_at"),
    reopened_at=maximum(),
    assigned_at=maximum(),
    assigned_to=latest_by("text", at="assigned_at"),
    waiting_at=maximum(),
    waiting_for=latest_by("text", at="waiting_at"),
    waiting_until=latest_by("bigint", at="waiting_at"),
    indexes=(("profile_id", "opened_at"), ("topic",), ("sku",), ("store_id",)),
)
merge = projection.table(
    "inquiry_merge",
    inquiry_id=key("uuid"),
    merged_at=maximum(),
    into_id=latest_by("uuid", at="merged_at"),
    indexes=(("into_id",),),
)
message = projection.ledger(
    "inquiry_message",
    inquiry_id=plain("uuid"),
    subject_id=plain("uuid"),
    occurred_at=plain("bigint"),
    author=plain("text"),
    text=plain("bytea"),
    subject="subject_id",
    personal=("text",),
    indexes=(("inquiry_id",),),
)

_Told = (
    InquiryAnswered | InquiryAssigned | InquiryClassified | InquiryClosed | InquiryMerged
    | InquiryMessageAdded | InquiryOpened | InquiryReopened | InquiryWaiting
)  # fmt: skip


def _rank(event: _Told | InquiryAttributed) -> int:
    """Orders what events tell by time; at the same time an opening comes before what follows it."""
    return 2 * event.meta.occurred_at + (not isinstance(event, InquiryOpened))


def _told(event: _Told, messages: int = 0, **columns: object) -> Row:
    """A row of the event's inquiry; an event without a profile does not change the owner."""
    return inquiry(
        inquiry_id=event.inquiry_id,
        profile_id=event.profile_id,
        profile_rank=None if event.profile_id is None else _rank(event),
        messages=messages,
        **columns,
    )


@projection.on(InquiryOpened)
def opened(event: InquiryOpened) -> Iterator[Row]:
    at = event.meta.occurred_at
    yield _told(
        event,
        messages=1,
        opened_at=at,
        topic_rank=_rank(event),
        topic=event.topic,
        channel=event.meta.producer.channel,
        about_at=at,
        sku=event.sku,
        store_id=event.store_id,
        transaction_id=event.transaction_id,
        line_no=event.line_no,
    )
    yield _said(event, CUSTOMER, event.text)


@projection.on(InquiryMessageAdded)
def added(event: InquiryMessageAdded) -> Iterator[Row]:
    asked_at = event.meta.occurred_at if event.author == CUSTOMER else None
    yield _told(event, messages=1, asked_at=asked_at)
    yield _said(event, event.author, event.text)


@projection.on(InquiryClassified)
def classified(event: InquiryClassified) -> Iterator[Row]:
    yield _told(event, topic_rank=_rank(event), topic=event.topic)


@projection.on(InquiryAnswered)
def answered(event: InquiryAnswered) -> Iterator[Row]:
    yield _told(event, messages=1, answered_at=event.meta.occurred_at)
    yield _said(event, "STAFF", event.text)


@projection.on(InquiryClosed)
def closed(event: InquiryClosed) -> Iterator[Row]:
    # a text is in records of before only; the gateway moves it to the note
    resolution = event.resolution or event.reason_code
    yield _told(event, closed_at=event.meta.occurred_at, resolution=resolution)
    if event.note is not None:
        yield _said(event, CLOSING, event.note)


@projection.on(InquiryReopened)
def reopened(event: InquiryReopened) -> Iterator[Row]:
    yield _told(event, reopened_at=event.meta.occurred_at)
    yield from _note(event)


@projection.on(InquiryAssigned)
def assigned(event: InquiryAssigned) -> Iterator[Row]:
    yield _told(event, assigned_at=event.meta.occurred_at, assigned_to=event.assigned_to)
    yield from _note(event)


@projection.on(InquiryWaiting)
def waiting(event: InquiryWaiting) -> Iterator[Row]:
    yield _told(
        event,
        waiting_at=event.meta.occurred_at,
        waiting_for=event.waiting_for,
        waiting_until=event.until,
    )
    yield from _note(event)


@projection.on(InquiryAttributed)
def attributed(event: InquiryAttributed) -> Iterator[Row]:
    yield inquiry(
        inquiry_id=event.inquiry_id,
        profile_id=event.profile_id,
        profile_rank=ATTRIBUTED + _rank(event),
        messages=0,
    )
    yield from _note(event)


@projection.on(InquiryMerged)
def merged(event: InquiryMerged) -> Iterator[Row]:
    yield _told(event)
    if event.into_inquiry_id != event.inquiry_id:
        yield inquiry(inquiry_id=event.into_inquiry_id, messages=0)
        yield merge(
            inquiry_id=event.inquiry_id,
            merged_at=event.meta.occurred_at,
            into_id=event.into_inquiry_id,
        )
    yield from _note(event)


def _note(event: _Told | InquiryAttributed) -> Iterator[Row]:
    note: bytes | None = getattr(event, "note", None)
    if note is not None:
        yield _said(event, STAFF_NOTE, note)


def _said(event: _Told | InquiryAttributed, author: str, text: bytes | None) -> Row:
    return message(
        inquiry_id=event.inquiry_id,
        subject_id=event.profile_id or event.inquiry_id,
        occurred_at=event.meta.occurred_at,
        author=author,
        text=text,
    )
