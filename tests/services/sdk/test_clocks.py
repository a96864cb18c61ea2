"""The SDK tells the gateway how wrong its clock is: by the sent time, and by ages since boot."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from nacl.public import PrivateKey

from schemas.generated.inputs import parse
from services.sdk import AsyncClient, Buffer, Client, Unreachable
from services.sdk.clocks import EVENT_AGES, SENT_AT, BootMoment, Clocks
from services.sdk.delivery import GatewayLine, Post
from tests.services.gateway.running import event
from tests.services.sdk.test_delivery import Script

KEY = bytes(PrivateKey.generate().public_key)


@dataclass
class SetClocks(Clocks):
    """Clocks that a test sets."""

    time: datetime = field(default_factory=lambda: datetime(2026, 5, 1, 12, tzinfo=UTC))
    running: float = 1_000.0
    boot_id: str = "first"

    @property
    def boot(self) -> str:
        return self.boot_id

    def since_boot(self) -> float:
        return self.running

    def told(self) -> datetime:
        return self.time

    def passes(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.running += seconds


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[Buffer]:
    kept = Buffer(tmp_path / "till", KEY)
    yield kept
    kept.close()


def sold(clocks: SetClocks, ago: float = 0.0) -> dict[str, Any]:
    """A sale that happened so many seconds ago, by the clock that tells the time."""
    at = (clocks.time - timedelta(seconds=ago)).isoformat()
    return event(meta={**event()["meta"], "occurred_at": at})


def waiting(buffer: Buffer, clocks: SetClocks, *sales: dict[str, Any]) -> None:
    line = GatewayLine(buffer, patience=0.0, clocks=clocks)
    assert Script(None).play(line.send(sales)).buffered == len(sales)


def flushed(buffer: Buffer, clocks: SetClocks, *statuses: Any) -> list[Post]:
    script = Script(*(statuses or (202,)))
    script.play(GatewayLine(buffer, clocks=clocks).drain(30.0, {}, {}))
    return script.posts


def test_every_request_says_when_it_is_sent_and_how_old_its_events_are() -> None:
    clocks, script = SetClocks(), Script(202)
    sales = [sold(clocks), sold(clocks, ago=90.5), parse(sold(clocks, ago=7))]
    script.play(GatewayLine(clocks=clocks).send(sales))
    (post,) = script.posts
    assert post.headers == {SENT_AT: "2026-05-01T12:00:00.000Z", EVENT_AGES: "0.0,90.5,7.0"}


def test_each_attempt_says_it_anew() -> None:
    clocks, script = SetClocks(), Script(503, 202)
    talk = GatewayLine(clocks=clocks).send([sold(clocks)])
    reply = None
    try:
        while True:
            step = talk.send(reply)
            reply = script._answer(step) if isinstance(step, Post) else clocks.passes(3)
    except StopIteration:
        pass
    assert [post.headers[EVENT_AGES] for post in script.posts] == ["0.0", "3.0"]
    assert [post.headers[SENT_AT][17:19] for post in script.posts] == ["00", "03"]
    assert script.posts[0].content == script.posts[1].content


def test_what_waited_while_the_clock_was_set_has_its_true_age(buffer: Buffer) -> None:
    clocks = SetClocks(time=datetime(2000, 1, 1, tzinfo=UTC))
    waiting(buffer, clocks, sold(clocks))
    clocks.passes(600)
    clocks.time = datetime(2026, 5, 1, 12, tzinfo=UTC)  # the network set it
    waiting(buffer, clocks, sold(clocks, ago=5))
    (post,) = flushed(buffer, clocks)
    assert post.headers == {SENT_AT: "2026-05-01T12:00:00.000Z", EVENT_AGES: "600.0,5.0"}


def test_after_a_reboot_only_the_sent_time_counts(buffer: Buffer) -> None:
    clocks = SetClocks()
    waiting(buffer, clocks, sold(clocks), sold(clocks))
    clocks.boot_id, clocks.running = "second", 4_000.0
    (post,) = flushed(buffer, clocks)
    assert post.headers.keys() == {SENT_AT}
    waiting(buffer, clocks, sold(clocks))
    clocks.passes(2)
    clocks.boot_id = "third"
    waiting(buffer, clocks, sold(clocks))
    (post,) = flushed(buffer, clocks)
    assert post.headers[EVENT_AGES] == ",0.0"


ACCEPTED = {"results": [{"index": 0, "event_id": "", "status": "accepted"}]}


def test_a_client_that_sends_for_a_till_says_what_the_tills_clocks_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    def answered(_: object, request: httpx.Request, **__: object) -> httpx.Response:
        told.append(request.headers[SENT_AT])
        return httpx.Response(202, json=ACCEPTED, request=request)

    async def answered_later(_: object, request: httpx.Request, **__: object) -> httpx.Response:
        return answered(_, request)

    async def sent() -> None:
        async with AsyncClient("http://gateway.example", "token", clocks=SetClocks()) as till:
            await till.send([event()])

    monkeypatch.setattr(httpx.Client, "send", answered)
    monkeypatch.setattr(httpx.AsyncClient, "send", answered_later)
    with Client("http://gateway.example", "token", clocks=SetClocks()) as till:
        till.send([event()])
    asyncio.run(sent())
    assert told == ["2026-05-01T12:00:00.000Z"] * 2


def test_what_happened_before_boot_or_tells_no_time_has_no_age() -> None:
    clocks = SetClocks()
    assert clocks.moment_of(clocks.time - timedelta(seconds=1_001)) is None
    assert clocks.moment_of(clocks.time - timedelta(seconds=999)) == BootMoment("first", 1.0)
    assert clocks.moment_of(clocks.time + timedelta(days=400)) == BootMoment("first", 1_000.0)
    for strange in (None, "soon", "2026-05-01T12:00:00", datetime(2026, 5, 1), 10**30, 1.5, []):
        assert clocks.moment_of(strange) is None


def test_a_clock_outside_the_years_that_the_gateway_takes_is_not_sent() -> None:
    clocks = SetClocks(time=datetime(2399, 1, 1, tzinfo=UTC))
    assert clocks.headers([None]) == {}


def test_the_machines_own_clocks_agree_with_themselves() -> None:
    clocks = Clocks()
    moment = clocks.moment_of(datetime.now(UTC).isoformat())
    assert moment is not None and moment.boot == clocks.boot == Clocks().boot
    assert 0 <= clocks.since_boot() - moment.seconds < 5
    made = clocks.headers([moment])
    assert abs(datetime.fromisoformat(made[SENT_AT]) - datetime.now(UTC)) < timedelta(seconds=5)
    assert float(made[EVENT_AGES]) < 5


def test_a_file_of_before_is_read_on(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "till")
    old.executescript(
        "CREATE TABLE waiting (position INTEGER PRIMARY KEY AUTOINCREMENT,"
        " event_id TEXT NOT NULL, sealed BLOB NOT NULL);"
        "INSERT INTO waiting (event_id, sealed) VALUES ('a', x'00');"
    )
    old.close()
    clocks = SetClocks()
    buffer = Buffer(tmp_path / "till", KEY)
    try:
        waiting(buffer, clocks, sold(clocks))
        (post,) = flushed(buffer, clocks)
        assert post.headers[EVENT_AGES] == ",0.0"
    finally:
        buffer.close()


def test_an_unreachable_gateway_is_still_told_as_such() -> None:
    with pytest.raises(Unreachable):
        Script(None).play(GatewayLine(patience=1.0, clocks=SetClocks()).send([event()]))
