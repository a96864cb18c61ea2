"""A dead letter that is sent again arrived when it arrived first; waiting moves no time of it."""

from __future__ import annotations

from datetime import UTC, datetime

from projections.core.instants import micros
from schemas.wire.effective import CLOCK_OFFSET, RECEIVED_AT, effective_event
from services.projector.dead_letters import Letter, headers_of
from tests.services.projector.facts import received

ARRIVED = datetime(2020, 1, 1, 12, 0, 0, 5_000, UTC)
LATER_MS = 1_900_000_000_000


def letter(*headers: tuple[str, bytes], appended_at: datetime = ARRIVED) -> Letter:
    return Letter(
        id=1, topic="commerce.inventory", partition=0, offset=7, stage="apply",
        error_class="ValueError", reason="", event_id=None, record_key=b"", record_value=b"",
        headers=[[name, value.hex()] for name, value in headers], status="open", grps=["main"],
        note=None, appended_at=appended_at, seen_at=ARRIVED, resolved_at=None,
    )  # fmt: skip


def test_kafka_s_time_of_the_first_record_is_its_arrival() -> None:
    headers = headers_of(letter(("ce_id", b"x")))
    assert headers[1:] == [("ce_id", b"x")]
    effective = effective_event(received(1, 1), headers, LATER_MS)
    assert effective.meta.occurred_at == micros(ARRIVED) + 999
    assert effective == effective_event(received(1, 1), [], micros(ARRIVED) // 1000)


def test_what_the_gateway_measured_stays() -> None:
    measured = [(RECEIVED_AT, b"1600000000000000"), (CLOCK_OFFSET, b"5"), ("ce_id", b"x")]
    assert headers_of(letter(*measured)) == measured


def test_a_record_without_a_time_gets_none() -> None:
    unknown = letter(("ce_id", b"x"), appended_at=datetime(1970, 1, 1, tzinfo=UTC))
    assert headers_of(unknown) == [("ce_id", b"x")]
