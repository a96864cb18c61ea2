"""Customers' inquiries over all channels: topic, messages, outcome."""

from __future__ import annotations

from collections.abc import Iterator

from projections.core import Projection, Row, earliest, key, latest_by, maximum, plain, total
from schemas.generated.events import (
    InquiryAnswered,
    InquiryClassified,
    InquiryClosed,
    InquiryMessageAdded,
    InquiryOpened,
    SubjectErased,
)

projection = Projection("inquiry_history")

CLOSING = "CLOSING"  # the author of the note with which an inquiry was closed
projection.erases(SubjectErased, subject="profile_id")

# every column commutes: an inquiry that starts anonymous is keyed anew once it is known whose
inquiry = projection.table(
    "inquiry",
    inquiry_id=key("uuid"),
    profile_id=maximum("uuid"),
    opened_at=earliest(),
    channel=maximum("text"),
    topic_at=maximum(),
    topic=latest_by("text", at="topic_at"),
    sku=maximum("text"),
    store_id=maximum("text"),
    transaction_id=maximum("uuid"),
    line_no=maximum("int"),
    messages=total("int"),
    answered_at=maximum(),
    closed_at=maximum(),
    resolution=latest_by("text", at="closed_at"),
    indexes=(("profile_id", "opened_at"), ("topic",), ("sku",), ("store_id",)),
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


@projection.on(InquiryOpened)
def opened(event: InquiryOpened) -> Iterator[Row]:
    at = event.meta.occurred_at
    yield inquiry(
        inquiry_id=event.inquiry_id,
        profile_id=event.profile_id,
        opened_at=at,
        topic_at=at,
        topic=event.topic,
        channel=event.meta.producer.channel,
        sku=event.sku,
        store_id=event.store_id,
        transaction_id=event.transaction_id,
        line_no=event.line_no,
        messages=1,
    )
    yield _said(event, "CUSTOMER", event.text)


@projection.on(InquiryMessageAdded)
def added(event: InquiryMessageAdded) -> Iterator[Row]:
    yield inquiry(inquiry_id=event.inquiry_id, profile_id=event.profile_id, messages=1)
    yield _said(event, event.author, event.text)


@projection.on(InquiryClassified)
def classified(event: InquiryClassified) -> Iterator[Row]:
    yield inquiry(
        inquiry_id=event.inquiry_id,
        profile_id=event.profile_id,
        topic_at=event.meta.occurred_at,
        topic=event.topic,
        messages=0,
    )


@projection.on(InquiryAnswered)
def answered(event: InquiryAnswered) -> Iterator[Row]:
    at = event.meta.occurred_at
    yield inquiry(
        inquiry_id=event.inquiry_id, profile_id=event.profile_id, answered_at=at, messages=1
    )
    yield _said(event, "STAFF", event.text)


@projection.on(InquiryClosed)
def closed(event: InquiryClosed) -> Iterator[Row]:
    yield inquiry(
        inquiry_id=event.inquiry_id,
        profile_id=event.profile_id,
        closed_at=event.meta.occurred_at,
        # a text is in records of before only; the gateway moves it to the note
        resolution=event.resolution or event.reason_code,
        messages=0,
    )
    if event.note is not None:
        yield _said(event, CLOSING, event.note)


def _said(
    event: InquiryOpened | InquiryMessageAdded | InquiryAnswered | InquiryClosed,
    author: str,
    text: bytes | None,
) -> Row:
    return message(
        inquiry_id=event.inquiry_id,
        subject_id=event.profile_id or event.inquiry_id,
        occurred_at=event.meta.occurred_at,
        author=author,
        text=text,
    )
