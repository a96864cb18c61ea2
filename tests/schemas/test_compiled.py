"""The readers made for a schema say what the Avro library says, or leave it to the library."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.codes import with_normal_codes
from schemas.generated.events import EVENTS, Event
from schemas.generated.inputs import example, parse, to_event
from schemas.history.releases import releases
from schemas.wire import codec
from schemas.wire.bounds import BODY_MAX
from schemas.wire.codec import HEADER, Codec, Undecodable
from schemas.wire.compiled_codec import native
from schemas.wire.readers import Read, reader, written
from tests.drawn import examples
from tests.schemas.drawing import events
from tests.schemas.sealers import OpenSealer

KNOWN = releases()
KINDS = (reader, written)  # what runs here: compiled where it could be; and the Python
MUTANTS = 400


def made(kind: Callable[..., Read], name: str) -> Read:
    return kind(KNOWN.schema(KNOWN.newest[name]), HEADER)


class Plain(Codec):
    """Reads by the Avro library alone."""

    def decode(self, value: bytes | None) -> Event:
        return self._decode(value)


def _said(decoder: Codec, value: bytes) -> object:
    try:
        return decoder.decode(value)
    except Undecodable as error:
        return error.reason


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EVENTS)
@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_event_is_read_without_the_library(
    name: str, kind: Callable[..., Read], data: st.DataObject
) -> None:
    event = data.draw(events(name))
    assert made(kind, name)(codec.encode(event)) == with_normal_codes(event)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EVENTS)
@settings(max_examples=examples(3), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_changed_value_is_read_alike_or_refused_alike(
    name: str, kind: Callable[..., Read], data: st.DataObject, seed: int
) -> None:
    value, chance = codec.encode(data.draw(events(name))), random.Random(seed)
    quick, plain = Codec(KNOWN), Plain(KNOWN)
    quick.decode(value)
    assert value[:HEADER] in quick._compiled
    quick._compiled[value[:HEADER]] = made(kind, name)
    for _ in range(MUTANTS // 3):
        changed = _changed(value, chance)
        one, other = _said(quick, changed), _said(plain, changed)
        # A weight that is not a number equals nothing, but is written as it was read.
        assert one == other or codec.encode(one) == codec.encode(other)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_are_left_over_or_missing_are_seen(kind: Callable[..., Read]) -> None:
    value = codec.encode(_example("StockCounted"))
    for wrong in (value + b"\0", value[:-1], value[:HEADER], b""):
        with pytest.raises((ValueError, IndexError)):
            made(kind, "StockCounted")(wrong)


@pytest.mark.skipif(native("schemas.wire._reading") is None, reason="nothing is compiled here")
def test_what_a_plan_lacks_is_said_when_the_reader_is_made() -> None:
    make = native("schemas.wire._reading").Reader  # type: ignore[union-attr]
    for wrong in (
        (),
        ("word",),
        ("record",),
        ("fixed",),
        ("integer", 1),
        ("enum", 3),
        ("array", ()),
        ("constant",),
        ("constant", [1]),
    ):
        with pytest.raises(TypeError):
            make(wrong, HEADER)
    with pytest.raises(TypeError, match="no slot"):
        make(("record", int, ("real",), (("string",),)), HEADER)
    with pytest.raises(TypeError, match="one bytes object"):
        make(("string",), 0)("text")


def test_a_text_that_comes_again_is_the_same_object_and_another_is_not() -> None:
    read = made(reader, "StockCounted")
    one, two = (codec.encode(replace(_example("StockCounted"), sku=sku)) for sku in ("a", "b"))
    assert [read(value).sku for value in (one, two, two, one)] == ["a", "b", "b", "a"]


def test_a_value_that_is_too_long_is_refused_whatever_it_says() -> None:
    value = codec.encode(_example("StockCounted"))
    with pytest.raises(Undecodable, match="longer"):
        codec.decode(value + bytes(BODY_MAX))


def _example(name: str) -> Event:
    return to_event(parse(example(name)), OpenSealer())


def _changed(value: bytes, chance: random.Random) -> bytes:
    body, at = bytearray(value), chance.randrange(HEADER, len(value))
    match chance.randrange(4):
        case 0:
            body[at] ^= 1 << chance.randrange(8)
        case 1:
            body[at : at + chance.randrange(1, 5)] = chance.randbytes(chance.randrange(5))
        case 2:
            del body[at:]
        case _:
            body[at] = chance.choice([0, 1, 2, 127, 128, 255])
    return bytes(body)
