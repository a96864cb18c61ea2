"""Whose is an inquiry, is it open, and which inquiries are one conversation?

In whatever order events arrive, and whichever id is greater.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.inquiry_history import inquiry, merge
from projections.inquiry_history.conversations import JoinedInquiries, conversations, head_of
from schemas.generated.events import (
    Event,
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
)
from tests.drawn import examples
from tests.projections.saying import MINUTE, T0, meta, tell

MAIN = Group("main", discover())
LOW, HIGH = UUID(int=1).bytes, UUID(int=2).bytes
X, Y, Z = (UUID(int=number) for number in (11, 12, 13))
Happened = tuple[type, int, dict[str, Any]]


def said(kind: type, minute: int, about: UUID = X, **more: Any) -> Any:
    needed: dict[type, dict[str, Any]] = {
        InquiryOpened: {"topic": "delivery"},
        InquiryClassified: {"classified_by": "staff"},
        InquiryMessageAdded: {"author": "CUSTOMER"},
        InquiryClosed: {"resolution": "", "reason_code": "refunded"},
        InquiryAssigned: {"assigned_to": "E1"},
        InquiryWaiting: {"waiting_for": "SUPPLIER"},
    }
    fields = needed.get(kind, {}) | more
    return kind(meta=meta("CALL_CENTRE", minute), inquiry_id=about.bytes, **fields)


def into(one: UUID, other: UUID, minute: int) -> Event:
    found: Event = said(InquiryMerged, minute, one, into_inquiry_id=other.bytes)
    return found


def read(events: Iterable[Event]) -> dict[UUID, JoinedInquiries]:
    """The conversations after these events, by their heads, as a query reads them."""
    memory = tell(Memory(MAIN), events)
    merges = {key: row for (key,), row in memory.table(merge).items()}
    rows = []
    for (key,), row in memory.table(inquiry).items():
        named = merges.get(key, {"merged_at": None, "into_id": None})
        ids = {"inquiry_id": key, "profile_id": row["profile_id"], "into_id": named["into_id"]}
        ids = {name: value and UUID(bytes=value) for name, value in ids.items()}
        rows.append({**row, "merged_at": named["merged_at"], **ids})
    return {one.head["inquiry_id"]: one for one in conversations(rows)}


def the_one(events: Iterable[Event]) -> JoinedInquiries:
    (found,) = read(events).values()
    return found


@pytest.mark.parametrize(("a", "b"), [(LOW, HIGH), (HIGH, LOW)])
@pytest.mark.parametrize(
    "moved",
    [
        lambda b: said(InquiryAttributed, 5, profile_id=b),
        lambda b: said(InquiryAttributed, 0, profile_id=b),
        lambda b: said(InquiryMessageAdded, 5, profile_id=b),
        lambda b: said(InquiryClassified, 0, profile_id=b, topic="a"),
    ],
    ids=["attributed", "attributed in the same second", "named later", "named in the same second"],
)
def test_what_was_opened_for_one_and_moved_to_another_is_the_others(
    a: bytes, b: bytes, moved: Any
) -> None:
    events = [
        said(InquiryOpened, 0, profile_id=a),
        moved(b),
        said(InquiryAnswered, 7),  # names nobody, and takes it from nobody
    ]
    for order in permutations(events):
        assert the_one(order).owner() == UUID(bytes=b)


def test_what_was_moved_stays_moved_whoever_is_named_later_until_it_is_moved_again() -> None:
    events = [
        said(InquiryOpened, 0, profile_id=HIGH),
        said(InquiryAttributed, 1, profile_id=LOW),
        said(InquiryMessageAdded, 2, profile_id=HIGH),
    ]
    back = [*events, said(InquiryAttributed, 3, profile_id=HIGH)]
    for order in permutations(events):
        assert the_one(order).owner() == UUID(bytes=LOW)
    for order in permutations(back):
        assert the_one(order).owner() == UUID(bytes=HIGH)


def test_what_it_is_about_is_what_was_said_last_not_what_is_greatest() -> None:
    events = [
        said(InquiryOpened, 0, sku="tea", store_id="UMEDA", line_no=3, transaction_id=HIGH),
        said(InquiryOpened, 4, sku="cup", store_id="GINZA", line_no=1, transaction_id=LOW),
        said(InquiryClassified, 0, topic="a"),
        said(InquiryOpened, -1, topic="z", sku="zinc"),
    ]
    for order in permutations(events):
        head = the_one(order).head
        about = (head["sku"], head["store_id"], head["line_no"], head["transaction_id"])
        assert about == ("cup", "GINZA", 1, LOW)
        assert head["topic"] == "delivery", "the newest opening's"
    for order in permutations(events[:1] + events[2:3]):
        assert the_one(order).head["topic"] == "a", "classified at the very time of the opening"


CLOSED = [said(InquiryOpened, 0), said(InquiryClosed, 5)]


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (said(InquiryMessageAdded, 6), "open"),
        (said(InquiryMessageAdded, 4), "closed"),
        (said(InquiryMessageAdded, 5), "closed"),
        (said(InquiryMessageAdded, 6, author="SYSTEM"), "closed"),
        (said(InquiryMessageAdded, 6, author="STAFF"), "closed"),
        (said(InquiryAnswered, 6), "closed"),
        (said(InquiryReopened, 5), "open"),
        (said(InquiryReopened, 4), "closed"),
        (said(InquiryWaiting, 6), "closed"),
        (said(InquiryAssigned, 6), "closed"),
    ],
)
def test_a_message_after_the_closing_opens_it_again(event: Event, status: str) -> None:
    for order in permutations([*CLOSED, event]):
        state = the_one(order).state()
        assert state.status == status
        assert (state.closed_at is None) == (status == "open")
        assert (state.reopened_at is None) == (status == "closed")
    again = [*CLOSED, event, said(InquiryClosed, 9, reason_code="told")]
    for order in permutations(again):
        state = the_one(order).state()
        assert state.closing is not None
        assert (state.closed_at, state.closing["resolution"]) == (T0 + 9 * MINUTE, "told")


def test_an_inquiry_waits_until_somebody_writes() -> None:
    waiting = [
        said(InquiryOpened, 0),
        said(InquiryAssigned, 1, assigned_to="E9"),
        said(InquiryAssigned, 2, assigned_to="E1"),
        said(InquiryWaiting, 3, waiting_for="SUPPLIER", until=7),
    ]
    for order in permutations(waiting):
        state = the_one(order).state()
        assert (state.status, state.assigned_to) == ("waiting", "E1")
        assert (state.waiting_for, state.waiting_until) == ("SUPPLIER", 7)
    for kind, left in ((InquiryMessageAdded, "open"), (InquiryAnswered, "open"),
                       (InquiryReopened, "open"), (InquiryClosed, "closed")):  # fmt: skip
        state = the_one([*waiting, said(kind, 4)]).state()
        assert (state.status, state.waiting_for, state.assigned_to) == (left, None, "E1")


def test_merged_inquiries_are_one_conversation_of_the_one_that_stays() -> None:
    events = [
        said(InquiryOpened, 0, X, profile_id=LOW, sku="tea"),
        said(InquiryOpened, 2, Y, profile_id=HIGH, sku="cup"),
        said(InquiryMessageAdded, 3, Y),
        into(Y, X, 4),
    ]
    for order in permutations(events):
        one = the_one(order)
        assert (one.head["inquiry_id"], one.merged, one.owner()) == (X, [Y], UUID(bytes=LOW))
        assert (one.head["sku"], one.opened_at) == ("tea", T0)
        assert sum(row["messages"] for row in one.rows) == 3
    for named in (said(InquiryMessageAdded, 5, Y, profile_id=HIGH), into(Y, X, 4)):
        named.profile_id = HIGH
        assert the_one([*events[:3], named, events[3]]).owner() == UUID(bytes=LOW)
    to_the_old_id = said(InquiryAttributed, 5, Y, profile_id=HIGH)
    assert the_one([*events, to_the_old_id]).owner() == UUID(bytes=HIGH)
    nobody = [said(InquiryOpened, 0, X), *events[1:]]
    assert the_one(nobody).owner() == UUID(bytes=HIGH), "known of the merged one only"


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([said(InquiryClosed, 3, Y), into(Y, X, 4)], "open"),
        ([into(Y, X, 4), said(InquiryClosed, 5, Y)], "closed"),
        ([said(InquiryClosed, 3, X), into(Y, X, 4)], "closed"),
        ([said(InquiryClosed, 1, X), into(Y, X, 4)], "open"),
        ([said(InquiryClosed, 1, X), said(InquiryClosed, 3, Y), into(Y, X, 4)], "closed"),
        ([said(InquiryClosed, 5, X), into(Y, X, 4), said(InquiryMessageAdded, 6, Y)], "open"),
        ([into(Y, X, 4), said(InquiryWaiting, 5, Y)], "waiting"),
        ([said(InquiryWaiting, 3, Y), into(Y, X, 4)], "open"),
    ],
)
def test_what_is_told_under_the_old_id_counts_from_the_merge_on(
    events: list[Event], status: str
) -> None:
    opened: list[Event] = [said(InquiryOpened, 0, X), said(InquiryOpened, 2, Y)]
    for order in permutations([*opened, *events]):
        assert the_one(order).state().status == status


def test_chains_and_circles_of_merges_have_one_head_in_every_order() -> None:
    chain = [said(InquiryOpened, 0, X), into(X, Y, 5), into(Y, Z, 4)]
    for order in permutations(chain):
        one = the_one(order)
        assert (one.head["inquiry_id"], one.merged) == (Z, [Y, X])
    circle = [into(X, Y, 3), into(Y, Z, 1), into(Z, X, 2)]
    for order in permutations(circle):
        assert the_one(order).head["inquiry_id"] == Y, "its merge is the oldest"
    with_itself = [said(InquiryOpened, 0, X), into(X, X, 1)]
    assert the_one(with_itself).merged == []
    again = [into(X, Y, 1), into(X, Z, 2)]
    for order in permutations(again):
        assert {head: one.merged for head, one in read(order).items()} == {Y: [], Z: [X]}


MERGES = st.dictionaries(
    st.integers(0, 7), st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=8
)


@given(MERGES)
@settings(max_examples=examples(300), deadline=None)
def test_every_inquiry_of_a_conversation_finds_the_same_head(
    drawn: dict[int, tuple[int, int]],
) -> None:
    merges = {UUID(int=a): (at, UUID(int=b)) for a, (at, b) in drawn.items() if a != b}
    heads = {UUID(int=one): head_of(UUID(int=one), merges)[0] for one in range(8)}
    for one, (_, other) in merges.items():
        assert heads[one] == heads[other]
    for head in set(heads.values()):
        assert head_of(head, merges) == (head, None)
        together = [one for one, its in heads.items() if its == head]
        left_out = [merges[one] for one in together if one in merges]
        assert len(left_out) in (len(together) - 1, len(together)), "a tree, or one circle"
        if head in merges:  # the oldest of those without which every walk would end
            way, here = [head], merges[head][1]
            while here != head:
                way.append(here)
                here = merges[here][1]
            assert min((merges[one][0], one) for one in way)[1] == head


KINDS = st.sampled_from(
    ["asked", "told by staff", "answered", "closed", "reopened", "waiting", "attributed", "named"]
)
DAYS = st.lists(st.tuples(KINDS, st.sampled_from([LOW, HIGH])), max_size=9)


def _event(kind: str, who: bytes, minute: int) -> Event:
    kinds: dict[str, tuple[type, dict[str, Any]]] = {
        "asked": (InquiryMessageAdded, {}),
        "told by staff": (InquiryMessageAdded, {"author": "STAFF"}),
        "answered": (InquiryAnswered, {}),
        "closed": (InquiryClosed, {}),
        "reopened": (InquiryReopened, {}),
        "waiting": (InquiryWaiting, {}),
        "attributed": (InquiryAttributed, {"profile_id": who}),
        "named": (InquiryClassified, {"profile_id": who, "topic": "t"}),
    }
    of, more = kinds[kind]
    found: Event = said(of, minute, **more)
    return found


def _as_it_happened(days: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The status and the owner, by what happened one after the other."""
    status, owner, decided = "open", LOW, False
    for kind, who in days:
        if kind == "attributed" or (kind == "named" and not decided):
            owner, decided = who, decided or kind == "attributed"
        if kind == "closed":
            status = "closed"
        elif kind in ("asked", "reopened") or (kind == "answered" and status == "waiting"):
            status = "open"
        elif kind == "waiting" and status != "closed":
            status = "waiting"
    return status, owner


@given(DAYS, st.randoms(use_true_random=False))
@settings(max_examples=examples(400), deadline=None)
def test_events_in_any_order_tell_what_happened(
    days: list[tuple[str, bytes]], chance: random.Random
) -> None:
    events = [said(InquiryOpened, 0, profile_id=LOW)]
    events += [_event(kind, who, minute) for minute, (kind, who) in enumerate(days, 1)]
    chance.shuffle(events)
    one = the_one(events)
    assert (one.state().status, one.owner()) == (
        _as_it_happened(days)[0], UUID(bytes=_as_it_happened(days)[1])
    )  # fmt: skip
