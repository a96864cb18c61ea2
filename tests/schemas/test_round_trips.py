"""Every event says the same after it went over the wire."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.generated.events import EVENTS
from schemas.generated.inputs import INPUTS, example, parse, subject_of, to_event
from schemas.generated.records import FROM_RECORD, TO_RECORD
from schemas.wire import codec
from schemas.wire.display import readable
from tests.drawn import examples
from tests.schemas.drawing import events
from tests.schemas.sealers import OpenSealer


@pytest.mark.parametrize("name", EVENTS)
@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_event_says_the_same_after_the_wire(name: str, data: st.DataObject) -> None:
    event = data.draw(events(name))
    value = codec.encode(event)
    assert codec.decode(value) == event
    assert codec.encode(codec.decode(value)) == value
    assert FROM_RECORD[name](TO_RECORD[name](event)) == event
    assert json.loads(json.dumps(readable(event)))["type"] == name


@pytest.mark.parametrize("name", INPUTS)
def test_the_example_of_every_event_is_taken_and_becomes_that_event(name: str) -> None:
    model = parse(example(name))
    event = to_event(model, OpenSealer())
    assert name == event.NAME
    assert codec.decode(codec.encode(event)) == event
    assert codec.key_of(event)
    assert parse(json.loads(model.model_dump_json())) == model


@pytest.mark.parametrize("name", INPUTS)
def test_a_subject_is_named_exactly_when_something_is_sealed(name: str) -> None:
    model, sealer = parse(example(name)), OpenSealer()
    to_event(model, sealer)
    subjects = {subject for subject, *_ in sealer.asked}
    assert subjects == ({subject_of(model)} if sealer.asked else set())
    assert bool(sealer.asked) == (subject_of(model) is not None)
