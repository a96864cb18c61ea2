"""The writers made for a schema write what the Avro library writes, or leave it to the library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.generated.events import EVENTS, Event
from schemas.generated.inputs import example, parse, to_event
from schemas.history.releases import releases
from schemas.wire.codec import Codec
from schemas.wire.writers import Write, _long
from tests.drawn import examples
from tests.schemas.drawing import events
from tests.schemas.sealers import OpenSealer

KNOWN = releases()
WRONG = (None, b"", b"x" * 17, "x", "\ud800", 1.5, -1, 2**31, 2**63, -(2**63) - 1, [None], object())


def made(codec: Codec, event: Event) -> Write:
    *_, write = codec._writer(event.NAME)
    return write


def said(write: Write, event: Event) -> bytes | None:
    try:
        return write(event)
    except Exception:
        return None


@pytest.mark.parametrize("name", EVENTS)
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_event_is_written_as_the_library_writes_it(name: str, data: st.DataObject) -> None:
    event, codec = data.draw(events(name)), Codec(KNOWN)
    assert made(codec, event)(event) == codec._encode(event)


@settings(max_examples=examples(2_000))
@given(number=st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(2**48, 2**57)))
def test_every_number_is_written_in_its_shortest_form(number: int) -> None:
    word, written = 0, _long(number)
    for at, byte in enumerate(written):
        word |= (byte & 127) << 7 * at
        assert (byte > 127) == (at < len(written) - 1)
    assert (word >> 1) ^ -(word & 1) == number
    assert written[-1] or len(written) == 1


@pytest.mark.parametrize("name", [name for name in EVENTS if name != "DeadLettered"])
def test_a_value_that_does_not_fit_is_left_to_the_library(name: str) -> None:
    event, codec = to_event(parse(example(name)), OpenSealer()), Codec(KNOWN)
    write = made(codec, event)
    for changed in _spoilt(event):
        quick, library = said(write, changed), said(codec._encode, changed)
        assert quick is None or quick == library, changed
        assert said(codec.encode, changed) == library, changed


def _spoilt(thing: Any) -> Iterator[Any]:
    """Each field in turn, of what stands in it too, with each wrong value."""
    for one in fields(thing):
        now = getattr(thing, one.name)
        for wrong in WRONG:
            yield replace(thing, **{one.name: wrong})
        inner = now[0] if isinstance(now, list) and now else now
        if is_dataclass(inner) and not isinstance(inner, type):
            for spoilt in _spoilt(inner):
                yield replace(thing, **{one.name: [spoilt] if isinstance(now, list) else spoilt})
