"""Codes are the same code however they are typed or scanned, when they are sent and when read."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codes import forms_of, normal_code, upper_code, with_normal_codes
from schemas.declarations import describe, sources
from schemas.generated.events import EVENTS, Event
from schemas.generated.inputs import Rejected, example, parse, to_event
from schemas.history.releases import releases
from schemas.sent_codes import changes
from schemas.wire import codec
from schemas.wire.codec import HEADER, is_key_of, key_of
from schemas.wire.readers import Read, reader, written
from schemas.wire.sameness import same_as_produced
from tests.schemas.sealers import OpenSealer

SPELLINGS = (
    "ABC ",
    "　ABC",
    "ＡＢＣ",
    "AB\u200bC",
    "\ufeffABC",
    "A\u00adBC\r\n",
    "ABC\t",
    "\u202aABC",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_code_is_the_same_in_every_spelling(spelling: str) -> None:
    assert normal_code(spelling) == "ABC"


def test_an_item_keeps_its_case_and_what_stands_inside() -> None:
    assert normal_code("abc-1/２ x") == "abc-1/2 x"
    assert normal_code(unicodedata.normalize("NFD", "ガーゼ")) == "ガーゼ"
    assert normal_code("ｶﾞｰｾﾞ") == "ガーゼ"


def test_stores_and_tills_are_in_upper_case() -> None:
    assert {upper_code(one) for one in ("s001", "S001 ", "ｓ００１", "\u200bs001")} == {"S001"}
    upper = {
        f"{name.removeprefix('hitotsu.')}.{field['name']}"
        for name, schema in sources().items()
        for field in schema.get("fields", ())
        if field.get("case") == "upper"
    }
    places = {
        f"{record.name}.{field.name}"
        for record in (*describe().events.values(), *describe().parts.values())
        for field in record.fields
        if field.name.endswith(("location_id", "store_id", "terminal_id"))
    }
    assert upper == places - {"DeadLettered.store_id"}


@given(st.text(max_size=20))
def test_the_normal_form_is_final(text: str) -> None:
    for form in (normal_code, upper_code):
        assert form(form(text)) == form(text)


def spelled(spell: Callable[[str], str]) -> dict[str, Any]:
    """A sale of which codes of item, store and till are spelled otherwise."""
    event = example("PurchaseCompleted")
    event["location_id"] = spell(event["location_id"])
    for name in ("store_id", "terminal_id"):
        event["meta"]["producer"][name] = spell(event["meta"]["producer"][name])
    for line in event["lines"]:
        line["sku"] = spell(line["sku"])
    return event


def test_what_producers_send_is_made_normal_before_anything_is_made_of_it() -> None:
    sent = spelled(lambda code: f"{code} \u200b")
    assert parse(sent) == parse(example("PurchaseCompleted"))
    told = changes("PurchaseCompleted", sent)
    lines = {f"lines.{at}.sku" for at in range(len(sent["lines"]))}
    places = {"location_id", "meta.producer.store_id", "meta.producer.terminal_id"}
    assert told.keys() == lines | places
    assert changes("PurchaseCompleted", example("PurchaseCompleted")) == {}
    assert sent["location_id"].endswith("\u200b"), "what was sent is not touched"


@pytest.mark.parametrize("nothing", [" ", "\u200b", "\r\n", "　"])
def test_a_code_of_which_nothing_can_be_seen_is_refused(nothing: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse(example("StockCounted") | {"sku": nothing})
    assert refused.value.field == "sku"


@pytest.mark.parametrize("wrong", [None, 5, [], {}, "", "x" * 65, ["a"]])
def test_what_is_no_code_is_refused_as_before(wrong: object) -> None:
    with pytest.raises(Rejected) as refused:
        parse(example("StockCounted") | {"location_id": wrong})
    assert refused.value.field == "location_id"


def of_before() -> Event:
    """A sale as the gateway appended it before codes had a normal form."""
    event: Any = to_event(parse(example("PurchaseCompleted")), OpenSealer())
    producer = replace(event.meta.producer, store_id="s001", terminal_id="t01 ")
    line = replace(event.lines[0], sku="ＡＢＣ")
    meta = replace(event.meta, producer=producer)
    return replace(event, meta=meta, location_id="s001 ", lines=[line])


@pytest.mark.parametrize("read", [reader, written])
def test_every_reader_makes_codes_of_before_normal(read: Callable[..., Read]) -> None:
    value = codec.encode(of_before())
    made: Any = read(releases().schema(releases().newest["PurchaseCompleted"]), HEADER)(value)
    assert (made.location_id, made.lines[0].sku) == ("S001", "ABC")
    assert (made.meta.producer.store_id, made.meta.producer.terminal_id) == ("S001", "T01")
    assert made == codec.decode(value) == codec._CODEC._decode(value)


@pytest.mark.parametrize("name", EVENTS)
def test_every_code_of_every_event_is_made_normal(name: str) -> None:
    if name == "DeadLettered":
        return
    event: Any = to_event(parse(example(name)), OpenSealer())
    dirty: Any = to_event(parse(example(name)), OpenSealer())
    _spell(dirty, forms_of(name))
    assert codec.decode(codec.encode(dirty)) == with_normal_codes(event)


def _spell(record: Any, forms: Any) -> None:
    for name, form in forms.items():
        told = getattr(record, name)
        if isinstance(told, str):
            setattr(record, name, f" {told}\u200b")
        elif callable(form):
            setattr(record, name, told and [f" {one}\u200b" for one in told])
        elif told is not None:
            for one in told if isinstance(told, list) else [told]:
                _spell(one, form)


def test_the_key_of_a_record_of_before_stays_valid() -> None:
    counted: Any = to_event(parse(example("StockCounted")), OpenSealer())
    before = replace(counted, sku="ＡＢＣ ")
    key, now = key_of(before), codec.decode(codec.encode(before))
    assert is_key_of(now, key)
    assert is_key_of(now, b"ABC")
    for other in (b"ABD", b"abc", b"\xff", None, b""):
        assert not is_key_of(now, other)


def test_a_resend_after_codes_were_made_normal_is_the_same_event() -> None:
    before = of_before()
    now = codec.decode(codec.encode(before))
    assert same_as_produced(codec.encode(before), codec.encode(now))
    other = replace(now, location_id="S002")
    assert not same_as_produced(codec.encode(before), codec.encode(other))
