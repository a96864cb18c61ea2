"""A shop with a decider, a projector and stock to promise."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from infra.home import free_port
from schemas.generated.inputs import example, parse, to_event
from schemas.wire import codec
from services.runtime.tokens import register
from tests.schemas.sealers import OpenSealer
from tests.services.rebuild.road import Road, road
from tests.services.rebuild.trade import send

TOKENS = {"till": "till-token-of-a-test", "ec": "ec-token-of-a-test"}
BASE = "/v1/stock/reservations"


class Shop:
    """The road, asked as a till or as EC."""

    def __init__(self, road: Road) -> None:
        self.road = road
        with psycopg.connect(road.endpoints.postgres, autocommit=True) as connection:
            register(connection, "app", ("stock:read",), "app-token-of-a-test")
        self.projector = road.start("projector")
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.again()
        self.client: httpx.Client = httpx.Client(base_url=self.url, timeout=20, trust_env=False)
        self.wait()

    def wait(self) -> None:
        """Until the decider answers."""
        deadline = time.monotonic() + 30
        while True:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "the decider is not ready"
            time.sleep(0.1)

    @cached_property
    def reads(self) -> str:
        """The API's address; it is started once, and answers."""
        url = self.road.api()

        def ready() -> bool:
            try:
                return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        self.until(ready, 60)
        return url

    def again(self) -> None:
        """Starts the decider, where it was."""
        self.road.start("commands", HITOTSU_PORT=str(self._port))

    def sell(self, sku: str) -> str:
        """One unit crosses the counter, whoever was promised it; the event's id."""
        event = to_event(parse(example("PurchaseCompleted")), OpenSealer())
        line = replace(event.lines[0], sku=sku, quantity=1, location_id=None)
        return self.append(
            "PurchaseCompleted", location_id="W1", lines=[line], transaction_id=uuid4().bytes
        )

    def post(
        self, path: str, body: dict[str, Any], key: str = "", who: str = "ec"
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKENS[who]}"}
        if not body.get("dry_run"):
            headers["Idempotency-Key"] = key or secrets.token_hex(8)
        if threading.current_thread() is threading.main_thread():
            return self.client.post(BASE + path, json=body, headers=headers)
        # threads that share a client close each other's idle connections
        with httpx.Client(base_url=self.url, timeout=20, trust_env=False) as own:
            return own.post(BASE + path, json=body, headers=headers)

    def reserve(self, sku: str, quantity: int = 1, key: str = "", **more: Any) -> httpx.Response:
        where = more.pop("location_id", "W1")
        lines = [{"sku": sku, "location_id": where, "quantity": quantity}]
        return self.post("", {"channel": "EC", "lines": lines, **more}, key)

    def state(self, reservation_id: str) -> str:
        headers = {"Authorization": f"Bearer {TOKENS['till']}"}
        answer = self.client.get(f"{BASE}/{reservation_id}", headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["state"])

    def shown(self, url: str, sku: str) -> tuple[int, ...]:
        """on_hand, committed, reserved and available, as the API has them; () while it has none."""
        headers = {"Authorization": f"Bearer {TOKENS['till']}"}
        try:
            answer = httpx.get(f"{url}/v1/stock/{sku}", headers=headers, trust_env=False)
        except httpx.TransportError:
            return ()
        if answer.status_code != 200:
            return ()
        (cell,) = answer.json()["data"]["locations"]
        return tuple(cell[name] for name in ("on_hand", "committed", "reserved", "available"))

    def item(self, url: str, sku: str) -> dict[str, Any]:
        """The item, as the API has it."""
        headers = {"Authorization": f"Bearer {TOKENS['till']}"}
        answer = httpx.get(f"{url}/v1/stock/{sku}", headers=headers, trust_env=False)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()["data"]
        return told

    def short(self, url: str, sku: str) -> dict[str, Any] | None:
        """The item's shortage, as the API has it."""
        headers = {"Authorization": f"Bearer {TOKENS['till']}"}
        deadline = time.monotonic() + 20
        while True:
            try:
                answer = httpx.get(f"{url}/v1/stock-shortages", headers=headers, trust_env=False)
                break
            except httpx.TransportError:  # it is starting
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert answer.status_code == 200, answer.text
        return next((one for one in answer.json()["data"] if one["sku"] == sku), None)

    def stocked(self, quantity: int, location_id: str = "W1") -> str:
        """A new item of which so many units are on hand."""
        sku = f"item-{secrets.token_hex(4)}"
        self.append("StockReceived", sku=sku, location_id=location_id, quantity=quantity)
        self.until(lambda: self.cell(sku)[:1] == (quantity,))
        return sku

    def append(self, event_name: str, /, **changes: Any) -> str:
        """A fact, straight into the log; its id."""
        event = to_event(parse(example(event_name)), OpenSealer())
        meta = changes.pop("meta", None) or replace(event.meta, event_id=uuid4().bytes)
        event = replace(event, meta=meta, **changes)
        send(
            self.road.endpoints.kafka,
            iter([(event.TOPIC, codec.key_of(event), codec.encode(event))]),
        )
        return str(UUID(bytes=meta.event_id))

    def cell(self, sku: str) -> tuple[int, ...]:
        """on_hand, committed."""
        rows = self.road.sql("select on_hand, committed from stock_cell where sku = %s", sku)
        return tuple(rows[0]) if rows else ()

    @staticmethod
    def until(true: Any, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.05)


@contextmanager
def shop(home: Path) -> Iterator[Shop]:
    """Servers, a projector and a decider of a test's own."""
    with road(home, TOKENS) as own:
        made = Shop(own)
        try:
            yield made
        finally:
            made.client.close()
