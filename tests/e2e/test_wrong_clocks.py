"""Tills whose clock is wrong: stock, suppression and points come out right, on every replay.

Through a gateway and the API on real servers; then the same log is verified, folded again and
judged again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from infra.home import free_port
from services.sdk.clocks import EVENT_AGES, SENT_AT
from tests.services.rebuild.road import Road, road

pytestmark = pytest.mark.servers
TOKENS = {"operator": "operator-token-of-wrong-clocks"}
YEAR = timedelta(days=365)
PATIENCE_SECONDS = 60.0  # the projector's first claim takes a while
Event = dict[str, Any]


class Shop:
    """One store; it asks for answers that include everything that was sent."""

    def __init__(self, own: Road) -> None:
        self.road = own
        own.start("projector")
        self.gateway, self.api = (self._started(name) for name in ("gateway", "api"))
        told = {"Authorization": f"Bearer {TOKENS['operator']}", "Purpose": "support"}
        self.http = httpx.Client(headers=told, timeout=20, trust_env=False)
        self.positions: dict[str, int] = {}
        for url in (self.gateway, self.api):
            until = time.monotonic() + PATIENCE_SECONDS
            while not self._ready(url):
                assert time.monotonic() < until, f"{url} is not ready"
                time.sleep(0.05)

    def _started(self, name: str) -> str:
        port = free_port()
        self.road.start(name, HITOTSU_PORT=str(port))
        return f"http://127.0.0.1:{port}"

    def _ready(self, url: str) -> bool:
        try:
            return self.http.get(f"{url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def send(self, *events: Event, sent_at: datetime | None = None, ages: str = "") -> None:
        headers = {} if sent_at is None else {SENT_AT: sent_at.isoformat()}
        if ages:
            headers[EVENT_AGES] = ages
        answer = self.http.post(f"{self.gateway}/v1/events", json=events, headers=headers)
        assert answer.status_code == 202 and not answer.json()["rejected"], answer.text
        for result in answer.json()["results"]:
            place = f"{result['topic']}-{result['partition']}"
            self.positions[place] = max(self.positions.get(place, 0), result["offset"] + 1)

    def ask(self, path: str, body: Any = None, **parameters: str) -> Any:
        until = time.monotonic() + PATIENCE_SECONDS
        while (answer := self._asked(path, body, parameters)).status_code == 504:
            assert time.monotonic() < until, answer.text
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def _asked(self, path: str, body: Any, parameters: dict[str, str]) -> httpx.Response:
        return self.http.request(
            "GET" if body is None else "POST", f"{self.api}{path}", json=body, params=parameters,
            headers={"Min-Position": json.dumps(self.positions)},
        )  # fmt: skip

    def on_hand(self, sku: str) -> int:
        (cell,) = self.ask(f"/v1/stock/{sku}")["locations"]
        return int(cell["on_hand"])

    def suppressed(self, member: UUID, sku: str) -> bool:
        body = {"member_id": str(member), "candidates": [sku]}
        return bool(self.ask("/v1/recommendations/filter", body)["dropped"])

    def clocks(self, terminal: str) -> list[Event]:
        """What is listed about a terminal."""
        return [one for one in self.ask("/v1/terminals/clocks") if one["terminal_id"] == terminal]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    needs = told("NeedPolicySet", "office", now() - YEAR, policy_id="clothes", category="clothes",
                 kind="DURABLE", reach="SKU", interval_days=3650,
                 valid_from=text(now() - YEAR))  # fmt: skip
    with road(tmp_path_factory.mktemp("clocks"), TOKENS) as own:
        made = Shop(own)
        try:
            made.send(needs)
            yield made
        finally:
            made.http.close()


def now() -> datetime:
    return datetime.now(UTC)


def text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def told(type_: str, terminal: str, at: datetime, **fields: Any) -> Event:
    producer = {"system": "pos", "channel": "STORE", "store_id": "S1", "terminal_id": terminal}
    meta = {"event_id": str(uuid4()), "occurred_at": text(at), "producer": producer}
    return {"type": type_, "meta": meta} | fields


def item(terminal: str = "office") -> tuple[str, Event]:
    sku = f"shirt-{uuid4().hex[:8]}"
    described = told("ItemDescribed", terminal, now() - YEAR, sku=sku, name="Shirt",
                     category="clothes", valid_from=text(now() - YEAR))  # fmt: skip
    return sku, described


def counted(sku: str, units: int, at: datetime | None = None) -> Event:
    at = at or now()
    return told("StockCounted", "handheld", at, sku=sku, location_id="S1", quantity=units,
                counted_at=text(at))  # fmt: skip


def sold(sku: str, terminal: str, at: datetime, member: UUID | None = None) -> Event:
    line = {"line_no": 1, "sku": sku, "quantity": 1, "unit_price": 1000, "net_paid": 1000,
            "location_id": "S1", "fulfilment": "IMMEDIATE"}  # fmt: skip
    who = {} if member is None else {"profile_id": str(member)}
    return told("PurchaseCompleted", terminal, at, transaction_id=str(uuid4()), location_id="S1",
                currency="JPY", total=1000, lines=[line], **who)  # fmt: skip


@pytest.mark.parametrize("sent_at", [False, True], ids=["no sent time", "sent time"])
def test_a_till_that_lives_in_2099_sells_now(shop: Shop, sent_at: bool) -> None:
    (sku, described), member, till = item(), uuid4(), f"T-{uuid4().hex[:6].upper()}"
    stamp = datetime(2099, 1, 1, tzinfo=UTC)
    shop.send(described, counted(sku, 10))
    shop.send(sold(sku, till, stamp, member), sent_at=stamp if sent_at else None)
    assert shop.on_hand(sku) == 9
    for _ in range(2):
        shop.send(counted(sku, 9))
        assert shop.on_hand(sku) == 9
    assert shop.suppressed(member, sku)
    (listed,) = shop.clocks(till)
    assert (listed["store_id"], listed["events"]) == ("S1", 1)
    ahead = (stamp - now()).total_seconds()
    assert abs(listed["offset_seconds"] + ahead) < 60
    assert listed["first_seen"] == listed["last_seen"]
    assert abs(datetime.fromisoformat(listed["last_seen"]) - now()) < timedelta(minutes=1)


def test_a_till_that_fell_back_to_2000_sells_now(shop: Shop) -> None:
    (sku, described), member, till = item(), uuid4(), f"T-{uuid4().hex[:6].upper()}"
    stamp = datetime(2000, 1, 1, tzinfo=UTC)
    shop.send(described, counted(sku, 10))
    shop.send(sold(sku, till, stamp, member), sent_at=stamp)
    assert shop.on_hand(sku) == 9
    assert shop.suppressed(member, sku)
    assert shop.clocks(till)[0]["offset_seconds"] > 20 * YEAR.total_seconds()


def test_ages_beat_the_sent_time_of_a_clock_that_was_set_meanwhile(shop: Shop) -> None:
    (sku, described), till = item(), f"T-{uuid4().hex[:6].upper()}"
    begun = now()
    shop.send(described, counted(sku, 10, begun - timedelta(hours=2)))
    shop.send(counted(sku, 8, begun - timedelta(hours=1)))
    # three sales by a clock in 2000: two before the second count and one after it
    stamps = [datetime(2000, 1, 1, 0, minutes, tzinfo=UTC) for minutes in (0, 1, 2)]
    sales = [sold(sku, till, at) for at in stamps]
    shop.send(*sales, sent_at=now(), ages="5400,5000.5,600")
    assert shop.on_hand(sku) == 7
    assert shop.clocks(till)[0]["events"] == 3


def test_a_clock_within_two_minutes_is_no_discrepancy(shop: Shop) -> None:
    (sku, described), till = item(), f"T-{uuid4().hex[:6].upper()}"
    shop.send(described, counted(sku, 10))
    ahead = now() + timedelta(seconds=90)
    shop.send(sold(sku, till, ahead), sent_at=ahead)
    shop.send(counted(sku, 9))
    assert shop.on_hand(sku) == 9, "it happened when it arrived, not after the count"
    assert shop.clocks(till) == []


def test_what_is_set_for_a_time_is_shifted_and_not_capped(shop: Shop) -> None:
    member, lot = uuid4(), str(uuid4())
    wrong = now() + YEAR
    shop.send(
        told("PointsEarned", f"T-{uuid4().hex[:6].upper()}", wrong, profile_id=str(member),
             lots=[{"lot_id": lot, "points": 10, "expires_at": text(wrong + YEAR)}]),
        sent_at=wrong,
    )  # fmt: skip
    shop.ask(f"/v1/members/{member}/points")
    ((at, expires),) = shop.road.sql(
        "select at, expires_at from point_entry where lot_id = %s", UUID(lot)
    )
    for micros, wanted in ((at, now()), (expires, now() + YEAR)):
        assert abs(micros / 1e6 - wanted.timestamp()) < 60


def test_the_same_log_gives_the_same_rows_when_verified_and_folded_again(shop: Shop) -> None:
    """After all tests above: live rows, an independent reader, a rebuild and new verdicts agree."""
    sku, described = item()
    events: Sequence[Event] = [
        event
        for hours in range(-72, 73, 9)
        for event in (
            counted(sku, abs(hours), now() + timedelta(hours=hours)),
            sold(sku, f"T-{hours}", now() + timedelta(hours=hours), uuid4()),
        )
    ]
    shop.send(described, *events)
    for hours in (-30, 30):
        shop.send(*(again(event) for event in events), sent_at=now() + timedelta(hours=hours))
    shop.ask("/v1/stock")
    shop.road.settle(sum(shop.positions.values()))
    assert shop.road.verb("verify")["total"] == 0
    assert shop.road.verb("rebuild", "--check")["total"] == 0
    assert shop.road.verb("rebuild", "--rejudge")["total"] == 0


def again(event: Event) -> Event:
    """The same under new ids."""
    new = event | {"meta": event["meta"] | {"event_id": str(uuid4())}}
    return new | ({"transaction_id": str(uuid4())} if "transaction_id" in event else {})
