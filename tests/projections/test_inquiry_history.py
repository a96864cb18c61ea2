"""What was asked, and what became of it, whoever it turned out to be."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.inquiry_history import inquiry, message
from schemas.generated.events import (
    Event,
    InquiryAnswered,
    InquiryClassified,
    InquiryClosed,
    InquiryOpened,
    SubjectErased,
)
from tests.projections.saying import meta, named, row, tell

ASKED, HANAKO = named("inquiry"), named("hanako")


def opened(who: bytes | None = None, minute: int = 0) -> InquiryOpened:
    return InquiryOpened(
        meta=meta("CALL_CENTRE", minute),
        inquiry_id=ASKED,
        topic="delivery",
        profile_id=who,
        text=b"sealed",
        sku="tea",
        store_id="GINZA",
    )


def test_an_anonymous_question_becomes_the_customers_once_it_is_known_whose() -> None:
    events: list[Event] = [
        opened(),
        InquiryClassified(
            meta=meta(minute=3),
            inquiry_id=ASKED,
            topic="return/damaged",
            classified_by="staff",
            profile_id=HANAKO,
        ),
        InquiryAnswered(meta=meta(minute=5), inquiry_id=ASKED, profile_id=HANAKO),
        InquiryClosed(meta=meta(minute=9), inquiry_id=ASKED, resolution="refund"),
    ]
    for order in permutations(events):
        found = row(tell(Memory(Group("main", discover())), order), inquiry, ASKED)
        assert (found["profile_id"], found["topic"]) == (HANAKO, "return/damaged")
        assert (found["messages"], found["resolution"], found["sku"]) == (2, "refund", "tea")


def test_a_closing_is_a_code_and_a_note_or_the_words_of_before(memory: Memory) -> None:
    def closed(minute: int, **why: Any) -> InquiryClosed:
        return InquiryClosed(
            **{"meta": meta(minute=minute), "inquiry_id": ASKED, "resolution": "", **why}
        )

    def resolution() -> str | None:
        found: str | None = row(memory, inquiry, ASKED)["resolution"]
        return found

    tell(memory, [opened(), closed(2, resolution="words of before")])
    assert resolution() == "words of before"
    assert len(memory.table(message)) == 1
    tell(memory, [closed(4, reason_code="refunded", note=b"sealed note", profile_id=HANAKO)])
    assert resolution() == "refunded"
    said = [(one["author"], one["text"]) for one in memory.table(message).values()]
    assert said == [("CUSTOMER", b"sealed"), ("CLOSING", b"sealed note")]
    assert row(memory, inquiry, ASKED)["messages"] == 1, "a note is no message"
    tell(memory, [SubjectErased(meta=meta(), profile_id=HANAKO)])
    assert [one["text"] for one in memory.table(message).values()] == [b"sealed", None]


def test_what_an_erased_customer_said_is_gone_even_when_it_comes_late(memory: Memory) -> None:
    tell(memory, [SubjectErased(meta=meta(), profile_id=HANAKO), opened(HANAKO)])
    assert [one["text"] for one in memory.table(message).values()] == [None]
    assert row(memory, inquiry, ASKED)["messages"] == 1
