"""Times of a wrong clock are put right: what happened is never later than arrival."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.declarations import RecordType
from schemas.generated.events import PointsEarned, ProfileRegistered, StockCounted, StockReceived
from schemas.generated.events.parts import EarnedLot, Meta, Producer
from schemas.topics import TOPIC_OF
from schemas.wire.bounds import EARLIEST, LATEST
from schemas.wire.effective import (
    CLOCK_OFFSET,
    HAPPENED,
    RECEIVED_AT,
    TOLERATED,
    CorrectedMeta,
    effective_event,
    times_of,
)
from tests.drawn import examples
from tests.schemas.drawing import DESCRIPTION, events

SECOND, DAY, YEAR = 1_000_000, 86_400_000_000, 31_557_600_000_000
NOW = 1_764_500_000_000_000
NOW_MS = NOW // 1000
TILL = Producer(system="pos", channel="STORE", store_id="S1", terminal_id="T1")
Headers = list[tuple[str, bytes]]


def meta(at: int) -> Meta:
    return Meta(event_id=bytes(15) + b"\1", occurred_at=at, producer=TILL)


def received(at: int) -> StockReceived:
    return StockReceived(meta=meta(at), sku="tea", location_id="W1", quantity=1)


def headers(received_at: int, offset: int | None = None) -> Headers:
    measured: Headers = [(RECEIVED_AT, b"%d" % received_at)]
    if offset is not None:
        measured.append((CLOCK_OFFSET, b"%d" % offset))
    return [*measured, ("content-type", b"application/avro")]


def walked(value: Any, times: Any, path: str = "") -> dict[str, tuple[str, int]]:
    """Every instant of an event that has a value: its mark and its time, by path."""
    found: dict[str, tuple[str, int]] = {}
    for name, mark in times.items():
        told, here = getattr(value, name), f"{path}/{name}"
        if told is None:
            continue
        if isinstance(mark, str):
            found[here] = mark, told
        elif isinstance(told, list):
            for number, item in enumerate(told):
                found |= walked(item, mark, f"{here}/{number}")
        else:
            found |= walked(told, mark, here)
    return found


def test_every_instant_of_every_contract_is_found() -> None:
    def instants(record: RecordType) -> int:
        parts = [DESCRIPTION.parts.get(str(field.of)) for field in record.fields]
        own = sum(field.meaning == "instant" for field in record.fields)
        return own + sum(instants(part) for part in parts if part)

    def marks(times: Any) -> int:
        return sum(1 if isinstance(mark, str) else marks(mark) for mark in times.values())

    for name, record in DESCRIPTION.events.items():
        assert marks(times_of(name)) == instants(record), name
        assert times_of(name)["meta"] == {"occurred_at": HAPPENED}


def test_an_event_of_a_right_clock_is_the_same_object() -> None:
    for told, said in (
        (NOW - YEAR, []),
        (NOW, []),
        (NOW, headers(NOW + SECOND)),
        (NOW, headers(NOW + SECOND, SECOND)),
        (NOW - DAY, headers(NOW, -TOLERATED)),
        (NOW - DAY, headers(NOW, TOLERATED)),
    ):
        event = received(told)
        assert effective_event(event, said, NOW_MS) is event


def test_the_append_time_is_cut_to_milliseconds_and_caps_nothing_within_one() -> None:
    event = received(NOW + 999)
    assert effective_event(event, [], NOW_MS) is event
    capped = effective_event(received(NOW + 1_000), [], NOW_MS)
    assert capped.meta == replace(event.meta, occurred_at=NOW + 999)


def test_a_sale_stamped_2099_without_a_sent_time_happened_when_it_arrived() -> None:
    told = NOW + 73 * YEAR
    effective = effective_event(received(told), [], NOW_MS)
    assert effective.meta.occurred_at == NOW + 999
    assert type(effective.meta) is CorrectedMeta
    assert effective.meta.clock_offset == NOW + 999 - told
    assert effective.meta.arrived_at == NOW + 999
    assert effective_event(received(told), headers(NOW), 0).meta.occurred_at == NOW


def test_a_till_that_fell_back_to_2000_is_put_right_by_the_offset() -> None:
    told, offset = 946_684_800_000_000, NOW - 946_684_800_000_000 - 5 * SECOND
    effective = effective_event(received(told), headers(NOW, offset), NOW_MS + 7)
    assert effective.meta.occurred_at == told + offset == NOW - 5 * SECOND
    assert effective.meta.clock_offset == offset


def test_a_clock_a_minute_ahead_is_capped_and_is_no_discrepancy() -> None:
    effective = effective_event(received(NOW + 60 * SECOND), headers(NOW, -60 * SECOND), NOW_MS)
    assert effective.meta == meta(NOW)
    assert type(effective.meta) is Meta


def test_counted_at_and_registered_at_happened_and_are_capped() -> None:
    counted = StockCounted(
        meta=meta(NOW), sku="tea", location_id="W1", quantity=9, counted_at=NOW + DAY
    )
    assert effective_event(counted, [], NOW_MS).counted_at == NOW + 999
    registered = ProfileRegistered(
        meta=meta(NOW), profile_id=bytes(16), source_system="pos", identifiers=[],
        registered_at=NOW + DAY,
    )  # fmt: skip
    assert effective_event(registered, [], NOW_MS).registered_at == NOW + 999


def test_what_is_set_for_a_time_is_shifted_and_never_capped() -> None:
    lot = EarnedLot(lot_id=bytes(16), points=1, active_from=NOW + DAY, expires_at=NOW + YEAR)
    event = PointsEarned(meta=meta(NOW), profile_id=bytes(16), lots=[lot])
    assert effective_event(event, headers(NOW), NOW_MS) is event
    effective = effective_event(event, headers(NOW, -DAY), NOW_MS)
    (moved,) = effective.lots
    assert (moved.active_from, moved.expires_at) == (NOW, NOW + YEAR - DAY)
    assert effective.meta.occurred_at == NOW - DAY
    assert event.lots == [lot] and lot.expires_at == NOW + YEAR


@pytest.mark.parametrize(
    "said",
    [
        [(RECEIVED_AT, b"soon")],
        [(RECEIVED_AT, b"")],
        [(RECEIVED_AT, None)],
        [(RECEIVED_AT, b"9" * 19)],
        [("traceparent", b"00"), (RECEIVED_AT, b"1")],
        [(CLOCK_OFFSET, b"-999999999999")],
    ],
)
def test_headers_that_the_gateway_does_not_write_count_as_absent(said: Any) -> None:
    event = received(NOW)
    assert effective_event(event, said, NOW_MS) is event


def test_a_record_without_a_time_of_arrival_is_not_capped() -> None:
    for timestamp in (0, -1, -(2**62)):
        event = received(NOW)
        assert effective_event(event, [], timestamp) is event


@settings(max_examples=examples(400))
@given(data=st.data())
def test_any_event_under_any_clock(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(TOPIC_OF)))
    event: Any = data.draw(events(name))
    arrival = data.draw(st.integers(NOW - 50 * YEAR, NOW + 50 * YEAR))
    offset = data.draw(st.none() | st.integers(-2 * TOLERATED, 2 * TOLERATED)
                       | st.integers(-200 * YEAR, 200 * YEAR))  # fmt: skip
    by_gateway = offset is not None or data.draw(st.booleans())
    said = headers(arrival, offset) if by_gateway else []
    appended_ms = arrival // 1000
    latest = arrival if by_gateway else appended_ms * 1000 + 999
    before = copy.deepcopy(event)

    effective = effective_event(event, said, appended_ms)

    assert event == before, "the event that was decoded is not changed"
    assert effective_event(copy.deepcopy(event), said, appended_ms) == effective, "a replay"
    shift = offset if offset is not None and abs(offset) > TOLERATED else 0
    told, moved = walked(event, times_of(name)), walked(effective, times_of(name))
    assert told.keys() == moved.keys()
    for path, (mark, at) in told.items():
        wanted = min(max(at + shift, EARLIEST), LATEST - 1) if shift else at
        assert moved[path] == (mark, min(wanted, latest) if mark == HAPPENED else wanted)
    if moved == told:
        assert effective is event
    elif abs(shift or latest - event.meta.occurred_at) <= TOLERATED:
        assert type(effective.meta) is Meta
