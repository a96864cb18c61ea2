"""What is no event is refused with a reason, and harms nobody who reads it."""

import random
import tracemalloc
from dataclasses import replace

import pytest

from schemas.generated.events import (
    DeadLettered,
    Event,
    InquiryClosed,
    Meta,
    Producer,
    PurchaseAttributed,
    PurchaseCompleted,
    PurchaseLine,
    StockPolicySet,
    StockReceived,
)
from schemas.tools import golden_bytes
from schemas.wire import codec
from schemas.wire.codec import Undecodable

MUTANTS = 5_000
TILL = Producer(
    system="pos",
    channel="STORE",
    store_id="S/01",
    terminal_id="T1",
    terminal_epoch=2,
    terminal_sequence=77,
)
META = Meta(event_id=b"\x01" * 16, occurred_at=1_775_006_100_123_456, producer=TILL)
RECEIVED = StockReceived(meta=META, sku="4901234567894", location_id="W01", quantity=12)
VALUE = codec.encode(RECEIVED)
SALE = PurchaseCompleted(
    meta=META,
    transaction_id=b"\x02" * 16,
    location_id="S001",
    currency="JPY",
    total=1650,
    lines=[
        PurchaseLine(line_no=1, sku="4901234567894", quantity=1, unit_price=1650, net_paid=1650)
    ],
)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "there is no value"),
        (b"", "the value is empty"),
        (b"\0\0\0\3\xf4", "not longer than its 5-byte header"),
        (b"\1" + VALUE[1:], "magic byte"),
        (b"\0\0\0\0\1" + VALUE[5:], "no schema with the id 1"),
        (VALUE[:-3], "ends in the middle"),
        (VALUE + b"\0", "left over"),
        (VALUE.replace(b"W01", b"W\xff1"), "not UTF-8"),
        (VALUE + b"\0" * 256 * 1024, "longer than 256 KiB"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(value: bytes | None, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason):
        codec.decode(value)


def test_the_refusal_names_the_schema_that_was_claimed() -> None:
    with pytest.raises(Undecodable) as caught:
        codec.decode(VALUE[:-3])
    assert caught.value.schema_id == codec.schema_id(VALUE)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (replace(RECEIVED, quantity=2**31), "32 bits"),
        (replace(RECEIVED, meta=replace(META, occurred_at=2**62)), "before 1900 or after 2199"),
        (replace(SALE, business_date=2**30), "a date lies"),
    ],
)
def test_numbers_that_no_table_can_hold_are_refused(event: Event, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason):
        codec.decode(codec.encode(event))


def test_five_thousand_broken_values_are_read_or_refused_and_memory_stays_flat() -> None:
    values = [item.value for item in golden_bytes.corpus()]
    draw = random.Random(20260401)
    outcomes = {"read": 0, "refused": 0}

    def some(count: int) -> None:
        for _ in range(count):
            try:
                codec.decode(_broken(draw, draw.choice(values)))
                outcomes["read"] += 1
            except Undecodable:
                outcomes["refused"] += 1

    some(500)
    tracemalloc.start()
    some(MUTANTS - 500)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(outcomes.values()) == MUTANTS
    assert outcomes["refused"] > MUTANTS / 3
    assert kept < 1_000_000
    assert peak < 8_000_000


def _broken(draw: random.Random, value: bytes) -> bytes:
    body = bytearray(value)
    way = draw.randrange(6)
    at = draw.randrange(len(body))
    if way == 0:
        body[at] ^= 1 << draw.randrange(8)
    elif way == 1:
        del body[at:]
    elif way == 2:
        body[at:at] = draw.randbytes(draw.randrange(1, 9))
    elif way == 3:
        body[1:5] = draw.choice((1001, 1020, 1045, 9999)).to_bytes(4, "big")
    elif way == 4:
        body[at : at + 9] = b"\xff" * 8 + b"\x7f"
    else:
        body[5:] = draw.randbytes(len(body) - 5)
    return bytes(body)


def test_the_hash_is_of_the_body_and_fits_a_bigint() -> None:
    assert codec.body_hash(VALUE) == codec.body_hash(b"\0\0\0\0\0" + VALUE[5:])
    assert -(2**63) <= codec.body_hash(VALUE) < 2**63
    assert codec.body_hash(VALUE) != codec.body_hash(codec.encode(replace(RECEIVED, quantity=13)))


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (RECEIVED, b"4901234567894"),
        (SALE, b"\x02" * 16),
        (replace(SALE, profile_id=b"\x03" * 16), b"\x02" * 16),
        (
            PurchaseAttributed(meta=META, transaction_id=b"\x02" * 16, profile_id=b"\x03" * 16),
            b"\x02" * 16,
        ),
        (InquiryClosed(meta=META, inquiry_id=b"\x04" * 16, resolution="exchanged"), b"\x04" * 16),
        (StockPolicySet(meta=META, location_id="S001", safety_stock=1, valid_from=0), b"S001"),
        (
            DeadLettered(
                meta=META,
                source_topic="commerce.points",
                source_partition=3,
                source_offset=9,
                stage="decode",
                error_class="E",
                reason="x",
            ),
            b"commerce.points-3",
        ),
    ],
)
def test_the_key_keeps_in_order_what_must_stay_in_order(event: Event, key: bytes) -> None:
    assert codec.key_of(event) == key


def test_a_record_keeps_the_key_that_its_topic_had_when_it_was_written() -> None:
    sale = replace(SALE, profile_id=b"\x03" * 16)
    assert codec.is_key_of(sale, b"\x02" * 16)
    assert codec.is_key_of(sale, b"\x03" * 16)
    assert not codec.is_key_of(sale, b"\x04" * 16)
    assert not codec.is_key_of(sale, None)
    assert not codec.is_key_of(SALE, b"\x03" * 16)
    claim = PurchaseAttributed(meta=META, transaction_id=b"\x02" * 16, profile_id=b"\x03" * 16)
    assert not codec.is_key_of(claim, b"\x03" * 16)


def test_headers_are_cloud_events() -> None:
    assert dict(codec.headers_of(RECEIVED)) == {
        "content-type": b"application/avro",
        "ce_specversion": b"1.0",
        "ce_id": b"01010101-0101-0101-0101-010101010101",
        "ce_source": b"/pos/S%2F01/T1/2",
        "ce_type": b"hitotsu.StockReceived",
        "ce_time": b"2026-04-01T01:15:00.123456Z",
        "ce_sequence": b"77",
    }
    web = replace(META, producer=Producer(system="ec", channel="EC"))
    assert dict(codec.headers_of(replace(RECEIVED, meta=web)))["ce_source"] == b"/ec/-/-/0"
    assert "ce_sequence" not in dict(codec.headers_of(replace(RECEIVED, meta=web)))
