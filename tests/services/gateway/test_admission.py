"""Who may send what, and how fast?"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from schemas.generated.inputs import parse
from services.gateway.app import create
from services.http import bodies
from services.http.problem import Refuse
from services.intake.admission import Rates, within_scopes
from services.intake.records import Intake, Refusal
from services.points.program.accrual_source import Accrual, ProgramVersions, unreadable
from services.runtime.config import Settings
from services.runtime.tokens import Token
from tests.services.gateway.running import TOKENS, environment, event, prepare

TILL = Token("till", frozenset({"channel:STORE", "system:pos", "store:S1"}))


def _sale(**producer: Any) -> Any:
    sale = event()
    origin = {"system": "pos", "channel": "STORE", "store_id": "S1"}
    sale["meta"]["producer"] |= {**origin, **producer}
    return parse(sale)


def test_a_till_sends_for_its_own_store() -> None:
    within_scopes(TILL, [(0, _sale()), (1, _sale())])


@pytest.mark.parametrize(
    ("field", "value"),
    [("channel", "EC"), ("system", "ec"), ("store_id", "S2"), ("store_id", None)],
)
def test_a_till_does_not_send_for_another(field: str, value: str | None) -> None:
    with pytest.raises(Refuse) as refused:
        within_scopes(TILL, [(0, _sale()), (7, _sale(**{field: value}))])
    assert refused.value.status == 403
    assert refused.value.more["errors"][0]["pointer"] == f"/7/meta/producer/{field}"


def test_a_caller_that_is_too_fast_is_told_when_to_come_back() -> None:
    rates = Rates(per_second=10, burst=100)
    rates.take(TILL, 100)
    with pytest.raises(Refuse) as refused:
        rates.take(TILL, 50)
    assert refused.value.status == 429
    assert 4 < refused.value.more["retry_after"] <= 5
    rates.take(Token("another till", frozenset()), 100)


def test_a_request_larger_than_the_bucket_goes_when_the_bucket_is_full() -> None:
    rates = Rates(per_second=10, burst=100)
    rates.take(TILL, 1_000)
    with pytest.raises(Refuse):
        rates.take(TILL, 1)


def test_no_more_events_wait_for_kafka_than_memory_allows() -> None:
    rates = Rates(in_flight=1_000)
    rates.in_flight = 990
    rates.take(TILL, 10)
    with pytest.raises(Refuse) as refused:
        rates.take(TILL, 11)
    assert refused.value.status == 429


def test_a_token_holds_a_quarter_of_the_memory_for_bodies_and_no_more() -> None:
    rates, other = Rates(bytes_held=1_000), Token("another till", frozenset())
    with rates.room(TILL) as room:
        room.take(200)
        with pytest.raises(Refuse) as refused, rates.room(TILL) as second:
            second.take(51)
        assert refused.value.status == 429
        with rates.room(TILL) as second, rates.room(other) as third:
            second.take(50)
            third.take(250)
    with rates.room(TILL) as room:
        room.take(250)


def test_no_more_bytes_are_read_at_once_than_memory_allows() -> None:
    rates = Rates(bytes_held=1_000)
    with ExitStack() as rooms:
        for number in range(4):
            rooms.enter_context(rates.room(Token(f"till {number}", frozenset()))).take(250)
        with pytest.raises(Refuse) as refused, rates.room(TILL) as room:
            room.take(1)
        assert refused.value.status == 429
    with rates.room(TILL) as room:
        room.take(250)


def test_a_body_that_does_not_arrive_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.05)

    async def never() -> Any:
        await asyncio.sleep(60)

    async def read() -> None:
        with pytest.raises(Refuse) as refused:
            await bodies.read_body(Request({"type": "http", "headers": []}, never))
        assert refused.value.status == 408

    asyncio.run(read())


@pytest.mark.servers
def test_a_caller_that_is_too_fast_is_429_over_http_too(servers: Any) -> None:
    prepare(servers)
    settings: dict[str, Any] = {
        name.removeprefix("HITOTSU_").lower(): value for name, value in environment(servers).items()
    }
    app = create(Settings(**settings), Rates(per_second=0.5, burst=3))

    async def ask() -> None:
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {TOKENS['till']}"}
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://gateway") as http,
        ):
            three = [event() for _ in range(3)]
            assert (await http.post("/v1/events", json=three, headers=headers)).status_code == 202
            again = await http.post("/v1/events", json=three, headers=headers)
            assert again.status_code == 429
            assert 5 <= int(again.headers["retry-after"]) <= 6

    asyncio.run(ask())


def test_points_have_one_source() -> None:
    earned = event("PointsEarned")
    operator = Token("operator", frozenset({"store:*"}), "operations")
    refusal = _intake("rules").read(earned, operator)
    assert isinstance(refusal, Refusal)
    assert (refusal.field, refusal.kind) == ("type", "accrual")
    assert not isinstance(_intake("producer").read(earned, operator), Refusal)
    # what was given is taken back by people, whoever gives
    assert not isinstance(_intake("rules").read(event("PointsReversed"), operator), Refusal)


DAY = timedelta(days=1)
RULES_SINCE, TILLS_SINCE = -40 * DAY, -400 * DAY
# When the earning is said to have been made, and the versions: since when, and who earns.
EARNINGS: dict[str, tuple[Accrual, list[tuple[timedelta, str]], timedelta, bool]] = {
    "before all versions": ("producer", [(RULES_SINCE, "RULES")], -2_500 * DAY, False),
    "before the rules, long ago": (
        "producer", [(TILLS_SINCE, "PRODUCER"), (RULES_SINCE, "RULES")], -45 * DAY, False,
    ),
    "before the rules, from a buffer": (
        "producer", [(TILLS_SINCE, "PRODUCER"), (-DAY, "RULES")], -29 * DAY, True,
    ),
    "under the rules": ("producer", [(-40 * DAY, "RULES")], -DAY, False),
    "after the rules, a day to come": (
        "producer", [(-40 * DAY, "RULES"), (2 * DAY, "PRODUCER")], 3 * DAY, False,
    ),
    "long ago without rules": ("producer", [(TILLS_SINCE, "PRODUCER")], -399 * DAY, True),
    "long ago with nothing set": ("producer", [], -399 * DAY, True),
    "the setting alone": ("rules", [], timedelta(), False),
    "the setting, and tills earn for now": (
        "rules", [(TILLS_SINCE, "PRODUCER")], timedelta(minutes=1), True,
    ),
    "the setting, and tills earned long ago": (
        "rules", [(TILLS_SINCE, "PRODUCER")], -45 * DAY, False,
    ),
    "the setting, and tills earn on a day to come": (
        "rules", [(TILLS_SINCE, "PRODUCER")], 3 * DAY, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["PointsEarned", "PointsReversed"])
@pytest.mark.parametrize("case", EARNINGS)
async def test_no_date_that_a_till_chooses_gives_points_beside_rules(case: str, name: str) -> None:
    accrual, versions, when, taken = EARNINGS[case]
    now = datetime.now(UTC)
    rows = [
        {"program_id": "hitotsu-points", "set_at": 1,
         "valid_from": int((now + since).timestamp() * 1e6),
         "accrual": who} for since, who in versions
    ]  # fmt: skip

    class Known(ProgramVersions):
        async def _read(self) -> list[dict[str, Any]]:
            return rows

    intake = Intake(None, bytes(32), Known(None, accrual), unreadable)  # type: ignore[arg-type]
    earned = event(name)
    earned["meta"]["occurred_at"] = (now + when).isoformat()
    (answer,) = await intake.read_all([earned], Token("till", frozenset({"store:*"}), "till"))
    if taken:
        assert not isinstance(answer, Refusal)
    else:
        assert isinstance(answer, Refusal)
        assert (answer.field, answer.kind) == ("type", "accrual")
        assert "rules" in answer.reason


def _intake(accrual: Accrual, keys: Any = None) -> Intake:
    return Intake(keys, bytes(32), ProgramVersions(None, accrual), unreadable)  # type: ignore[arg-type]


def test_an_erased_person_takes_no_more_personal_data() -> None:
    class NoKeys:
        async def of(self, _subjects: object) -> dict[bytes, bytes]:
            return {}

    intake = _intake("producer", NoKeys())
    model = parse(event("ProfileRegistered"))
    (refusal,) = asyncio.run(intake.encode([model]))
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "erased"
