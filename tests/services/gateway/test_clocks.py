"""The gateway measures a producer's clock, and writes what it measured before the other headers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from schemas.wire.effective import CLOCK_OFFSET, RECEIVED_AT
from services.sdk import Client
from services.sdk.clocks import EVENT_AGES, SENT_AT
from tests.services.gateway.running import TOKENS, Gateway, event, record_at

pytestmark = pytest.mark.servers
SLACK = 30_000_000  # microseconds that a request may take on a busy machine


def at(ago: float = 0.0) -> str:
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()


def sale(ago: float) -> dict[str, Any]:
    """A sale that says that it happened so many seconds ago."""
    return event(meta={**event()["meta"], "occurred_at": at(ago)})


def measured(gateway: Gateway, answer: httpx.Response) -> list[tuple[int | None, int | None]]:
    """Received-at and clock offset of each record, in microseconds."""
    assert answer.status_code == 202, answer.text
    return [_measured(gateway, result) for result in answer.json()["results"]]


def _measured(gateway: Gateway, result: dict[str, Any]) -> tuple[int | None, int | None]:
    record = record_at(gateway.servers, result["topic"], result["partition"], result["offset"])
    names = [name for name, _ in record.headers()]
    assert names[0] == RECEIVED_AT, "the only place where it is looked for"
    assert names.count(RECEIVED_AT) == 1 and "ce_id" in names
    said = dict(record.headers())
    return tuple(int(said[n]) if n in said else None for n in (RECEIVED_AT, CLOCK_OFFSET))  # type: ignore[return-value]


def test_without_the_headers_only_the_arrival_is_written(gateway: Gateway) -> None:
    before = time.time_ns() // 1000
    ((received, offset),) = measured(gateway, gateway.post(sale(3600)))
    assert received is not None and before <= received <= time.time_ns() // 1000
    assert offset is None


def test_a_sent_time_tells_how_wrong_the_clock_is(gateway: Gateway) -> None:
    year = 365 * 86_400
    told = [(at(year), year), (at(-year).replace("+00:00", "Z"), -year), (at(), 0)]
    for sent_at, ahead in told:
        answer = gateway.post([sale(5), sale(7200)], **{SENT_AT: sent_at})
        for _, offset in measured(gateway, answer):
            assert offset is not None and 0 <= offset - ahead * 1_000_000 < SLACK


def test_ages_beat_the_sent_time_and_an_empty_one_does_not(gateway: Gateway) -> None:
    hour = 3_600
    headers = {SENT_AT: at(hour), EVENT_AGES: "12.5, ,0"}
    answer = gateway.post([sale(10 * hour), sale(10 * hour), sale(-2 * hour)], **headers)
    wanted = (10 * hour - 12.5, hour, -2 * hour)
    for (_, offset), seconds in zip(measured(gateway, answer), wanted, strict=True):
        assert offset is not None and abs(offset - seconds * 1_000_000) < SLACK


def test_a_refused_event_among_others_does_not_shift_the_ages(gateway: Gateway) -> None:
    answer = gateway.post([event(total="much"), sale(7_200)], **{EVENT_AGES: "1,2"})
    assert [one["status"] for one in answer.json()["results"]] == ["rejected", "accepted"]
    _, offset = _measured(gateway, answer.json()["results"][1])
    assert offset is not None and abs(offset - 7_198_000_000) < SLACK


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (SENT_AT, "yesterday", "must be a time with an offset"),
        (SENT_AT, "2026-04-01T10:15:00", "must be a time with an offset"),
        (SENT_AT, "2026-02-30T10:15:00Z", "is not a time that exists"),
        (SENT_AT, "2400-01-01T00:00:00Z", "years 1900 to 2199"),
        (SENT_AT, "", "must be a time with an offset"),
        (EVENT_AGES, "1", "has 1 ages for 2 events"),
        (EVENT_AGES, "1,2,3", "has 3 ages for 2 events"),
        (EVENT_AGES, "1,-2", "element 1 must be seconds"),
        (EVENT_AGES, "nan,2", "element 0 must be seconds"),
        (EVENT_AGES, "1,2s", "element 1 must be seconds"),
        (EVENT_AGES, "1,1e3", "element 1 must be seconds"),
        (EVENT_AGES, "99999999999,1", "element 0 must be seconds"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused_by_name(
    gateway: Gateway, name: str, value: str, reason: str
) -> None:
    answer = gateway.post([event(), event()], **{name: value})
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["errors"][0]["pointer"] == f"/header/{name}"
    assert reason in problem["errors"][0]["reason"]
    assert problem["detail"].startswith(f"{name}: ")


def test_the_sdk_sends_both(gateway: Gateway) -> None:
    with Client(gateway.url, TOKENS["till"]) as till:
        results = till.send([sale(4), sale(-86_400)])
    assert results.accepted == 2
    offsets = [_measured(gateway, vars_of(one))[1] for one in results]
    assert offsets[0] is not None and abs(offsets[0]) < SLACK
    # an event that is ahead of the till's own clock has the age 0
    assert offsets[1] is not None and abs(offsets[1] + 86_400_000_000) < SLACK


def vars_of(result: Any) -> dict[str, Any]:
    return {name: getattr(result, name) for name in ("topic", "partition", "offset")}


def test_the_metric_tells_the_largest_offset_of_a_store(gateway: Gateway) -> None:
    def shown() -> dict[str, float]:
        lines = gateway.http.get("/metrics").text.splitlines()
        prefix = 'hitotsu_gateway_clock_offset_seconds{store="'
        return {
            line[len(prefix) :].split('"')[0]: float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith(prefix)
        }

    store = sale(0)["meta"]["producer"]["store_id"]
    answer = gateway.post([sale(0), sale(600), sale(5)], **{EVENT_AGES: "0,0,0"})
    assert answer.status_code == 202
    assert 570 < shown()[store] < 660
