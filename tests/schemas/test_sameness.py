"""A resend is the same event in whatever version of its schema it comes."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings

from schemas.generated.records import TO_RECORD
from schemas.history import releases
from schemas.history.releases import Releases
from schemas.wire import codec
from schemas.wire.codec import Codec, body_hash
from tests.drawn import examples
from tests.schemas.drawing import DESCRIPTION, records
from tests.schemas.homes import add_field, copy
from tests.schemas.test_codec import RECEIVED, SALE

NOTE = {"name": "note", "type": ["null", "string"], "default": None, "doc": "A remark."}
V1 = releases.Releases().newest["StockReceived"].id


class _Two:
    """A codec that knows a second version of StockReceived, and writes both."""

    def __init__(self, home: Path) -> None:
        add_field(home, "stock_received.avsc", NOTE)
        (self.v2,) = releases.release(home)
        known = Releases(home)
        self.codec = Codec(known)
        self.schemas = {
            identity: fastavro.parse_schema(known.schema(known.by_id[identity]))
            for identity in (V1, self.v2.id)
        }

    def write(self, identity: int, record: dict[str, Any]) -> bytes:
        buffer = BytesIO()
        fastavro.schemaless_writer(buffer, self.schemas[identity], record)
        return b"\0" + identity.to_bytes(4, "big") + buffer.getvalue()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> _Two:
    return _Two(copy(tmp_path_factory.mktemp("two")))


@settings(max_examples=examples(100), deadline=None)
@given(record=records(DESCRIPTION.events["StockReceived"]))
def test_a_resend_in_another_version_is_the_same(two: _Two, record: dict[str, Any]) -> None:
    old, new = two.write(V1, record), two.write(two.v2.id, {**record, "note": None})
    assert two.codec.same_event(new, V1, body_hash(old))
    assert two.codec.same_event(old, two.v2.id, body_hash(new))
    assert two.codec.same_event(old, V1, body_hash(old))


@settings(max_examples=examples(100), deadline=None)
@given(record=records(DESCRIPTION.events["StockReceived"]))
def test_a_resend_that_says_more_or_other_is_not_the_same(
    two: _Two, record: dict[str, Any]
) -> None:
    old = two.write(V1, record)
    more = two.write(two.v2.id, {**record, "note": "broken box"})
    other = two.write(two.v2.id, {**record, "quantity": record["quantity"] ^ 1, "note": None})
    assert not two.codec.same_event(more, V1, body_hash(old))
    assert not two.codec.same_event(old, two.v2.id, body_hash(more))
    assert not two.codec.same_event(other, V1, body_hash(old))


def test_an_old_reader_s_value_is_read_as_the_newest(two: _Two) -> None:
    old = two.write(V1, TO_RECORD["StockReceived"](RECEIVED))
    assert two.codec.decode(old) == RECEIVED


def test_events_of_two_kinds_are_never_the_same_even_with_the_same_bytes() -> None:
    known = releases.Releases().newest
    shipped, allocated = known["StockShipped"].id, known["StockAllocated"].id
    body = codec.encode(replace(RECEIVED))[5:]
    value = b"\0" + shipped.to_bytes(4, "big") + body
    assert not codec.same_event(value, allocated, body_hash(value))
    assert not codec.same_event(codec.encode(SALE), 1, body_hash(value))
