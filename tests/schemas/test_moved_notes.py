"""What people typed into a field of before becomes a sealed note, and a resend stays a resend."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from schemas.declarations import NAMESPACE, describe, sources
from schemas.generated.inputs import INPUTS, example, parse, subject_of, to_event
from schemas.locations import location_subject
from schemas.personal import SubjectSealer, Unsealer
from schemas.tools import free_text
from schemas.tools.free_text import TYPED
from schemas.wire import codec
from schemas.wire.sameness import same_as_produced
from tests.schemas.first_versions import in_first_version
from tests.schemas.sealers import OpenSealer

TEXT = "山田さんが電話で頼んだ"
MOVED = sorted(tuple(where.split(".")) for where in TYPED)
BLIND = bytes(range(32))
named = pytest.mark.parametrize(("name", "old"), MOVED, ids=[name for name, _ in MOVED])


def typed(name: str, old: str, text: str = TEXT, **more: Any) -> dict[str, Any]:
    """The event as a producer of before sends it: no note, no code, no program of points, the words
    in the old field.
    """
    event = {key: value for key, value in example(name).items() if key not in NEW}
    return {**event, old: text, **more}


NEW = ("note", "reason_code", "program_id")


def keys(event: dict[str, Any]) -> dict[bytes, bytes]:
    subject = subject_of(parse(event))
    return {subject: bytes(reversed(BLIND))} if subject is not None else {}


def now(event: dict[str, Any], erased: bool = False) -> Any:
    """What the gateway makes of it."""
    return to_event(parse(event), SubjectSealer({} if erased else keys(event), BLIND))


def before(event: dict[str, Any], old: str) -> bytes:
    """The record that the gateway made of it before: the words in clear, where they arrived."""
    return in_first_version(replace(now(event), **{old: event[old], "note": None}))


def told(event: Any) -> bytes:
    """The record that the gateway makes of it now."""
    return codec.encode(event)


@named
def test_words_in_a_field_of_before_are_a_sealed_note(name: str, old: str) -> None:
    event = typed(name, old)
    made = now(event)
    assert TEXT.encode() in before(event, old)
    assert TEXT.encode() not in told(made)
    assert not getattr(made, old) and made.reason_code is None
    (subject,) = keys(event)
    unsealer = Unsealer(keys(event))
    assert unsealer.unseal(made.meta.event_id, subject, "note", made.note) == TEXT


@named
def test_a_new_producer_sends_a_note_and_a_code(name: str, old: str) -> None:
    event = example(name)
    assert old not in event
    made: Any = to_event(parse(event), OpenSealer())
    assert made.note == b"sealed:" + event["note"].encode()
    assert made.reason_code == event["reason_code"]
    both: Any = to_event(parse({**event, old: TEXT}), OpenSealer())
    assert both.note == f"sealed:{TEXT}\n{event['note']}".encode()
    twice: Any = to_event(parse({**event, old: event["note"]}), OpenSealer())
    assert twice.note == made.note
    bare = {key: value for key, value in event.items() if key not in NEW}
    assert now(bare).note is None and subject_of(parse(bare)) is None


@named
def test_a_resend_after_the_move_is_the_same_event(name: str, old: str) -> None:
    event = typed(name, old)
    first, later = before(event, old), told(now(event))
    assert first != later
    assert same_as_produced(first, later) and same_as_produced(later, first)
    assert same_as_produced(first, told(now(event, erased=True)))


@named
def test_other_words_or_another_field_are_another_event(name: str, old: str) -> None:
    event, other = typed(name, old), typed(name, old, "something else")
    assert not same_as_produced(told(now(event)), told(now(other)))
    assert not same_as_produced(before(event, old), before(other, old))
    meta = {**event["meta"], "occurred_at": "2026-04-02T10:15:00+09:00"}
    moved = {**event, "meta": meta}
    assert not same_as_produced(before(event, old), told(now(moved)))


@named
def test_words_about_an_erased_person_are_left_out_and_the_fact_is_taken(
    name: str, old: str
) -> None:
    made = now(typed(name, old), erased=True)
    assert made.note is None and not getattr(made, old)


def test_a_note_is_sealed_for_the_profile_else_for_the_location() -> None:
    event = typed("PurchaseReturned", "reason")
    profile = parse(event).profile_id
    assert profile is not None and subject_of(parse(event)) == profile
    guest = {**event, "profile_id": None}
    assert subject_of(parse(guest)) == location_subject(event["location_id"])
    assert subject_of(parse(typed("StockAdjusted", "reason"))) == location_subject("S001")
    assert location_subject("S001") != location_subject("S002")
    asked = {**typed("InquiryClosed", "resolution"), "profile_id": None}
    assert subject_of(parse(asked)) == parse(asked).inquiry_id


def test_every_field_that_people_type_in_is_moved_and_no_other() -> None:
    described = describe().events
    moved = {
        f"{name}.{field.name}"
        for name, record in described.items()
        for field in record.fields
        if field.moved_to
    }
    assert moved == TYPED
    assert {name for name, _ in MOVED} <= set(INPUTS)


def _without(attribute: str, field: str) -> dict[str, Any]:
    schemas = copy.deepcopy(sources())
    (found,) = (f for f in schemas[NAMESPACE + "StockAdjusted"]["fields"] if f["name"] == field)
    del found[attribute]
    return schemas


def test_the_lint_finds_a_typed_field_that_is_not_moved() -> None:
    (complaint,) = free_text.findings(_without("moved_to", "reason"))
    assert complaint.startswith("StockAdjusted.reason: people type in it; moved_to must name")
    assert any("moved_to must name" in one for one in free_text.findings(_without("pii", "note")))
    found = list(free_text.findings(_without("is", "reason_code")))
    assert any("its event needs a field reason_code" in one for one in found)
    schemas = copy.deepcopy(sources())
    schemas[NAMESPACE + "StockReceived"]["fields"][-1]["moved_to"] = "note"
    (complaint,) = free_text.findings(schemas)
    assert "only fields in the list TYPED" in complaint


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_an_event_without_anything_that_may_be_absent_becomes_an_event(name: str) -> None:
    whole = example(name)
    absent = {key for key, field in INPUTS[name].model_fields.items() if not field.is_required()}
    bare = parse({key: value for key, value in whole.items() if key not in absent - {"type"}})
    assert subject_of(bare) is None or len(subject_of(bare) or b"") == 16
    assert name == to_event(bare, OpenSealer()).NAME
