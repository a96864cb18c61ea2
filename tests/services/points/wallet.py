"""A program with a decider, a projector and points to spend."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from infra.home import free_port
from schemas.generated.events.parts import EarnedLot
from schemas.generated.inputs import example, parse, to_event
from schemas.wire import codec
from tests.faults.stage import Stage
from tests.schemas.sealers import OpenSealer
from tests.services.rebuild.road import Road, road
from tests.services.rebuild.trade import Sent, send

TOKENS = {
    "till": "till-token-of-a-test",
    "ec": "ec-token-of-a-test",
    "app": "app-token-of-a-test",
}
HOLDS, REDEMPTIONS = "/v1/points/holds", "/v1/points/redemptions"


class Wallet:
    """The road, asked about points as a till or as EC."""

    def __init__(self, road: Road) -> None:
        self.road = road
        self._collected: list[Sent] = []
        self.stage = Stage(road.servers, road.endpoints, road.env, TOKENS)
        self.projector = road.start("projector")
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.again()
        self.client: httpx.Client = httpx.Client(base_url=self.url, timeout=20, trust_env=False)
        self.wait()
        self.reads = road.api()

    def wait(self, seconds: float = 30) -> None:
        """Until the decider answers."""
        self.until(lambda: self._ready(self.url), seconds)

    def _ready(self, url: str) -> bool:
        try:
            return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def again(self, **more: str) -> None:
        """Starts the decider, where it was."""
        self.road.start("commands", HITOTSU_PORT=str(self._port), **more)

    def post(
        self, path: str, body: dict[str, Any], key: str = "", who: str = "ec"
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKENS[who]}"}
        if not body.get("dry_run"):
            headers["Idempotency-Key"] = key or secrets.token_hex(8)
        if threading.current_thread() is threading.main_thread():
            return self.client.post(path, json=body, headers=headers)
        # threads that share a client close each other's idle connections
        with httpx.Client(base_url=self.url, timeout=20, trust_env=False) as own:
            return own.post(path, json=body, headers=headers)

    def hold(self, who: UUID, points: int, key: str = "", **more: Any) -> httpx.Response:
        body = {"profile_id": str(who), "channel": "EC", "points": points, **more}
        return self.post(HOLDS, body, key)

    def redeem(self, who: UUID, points: int, key: str = "", **more: Any) -> httpx.Response:
        body = {"profile_id": str(who), "channel": "EC", "points": points, **more}
        return self.post(REDEMPTIONS, body, key)

    def state(self, hold_id: str) -> str:
        headers = {"Authorization": f"Bearer {TOKENS['ec']}"}
        answer = self.client.get(f"{HOLDS}/{hold_id}", headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["state"])

    def read(self, path: str, **parameters: Any) -> Any:
        """What the API answers."""
        self.until(lambda: self._ready(self.reads))
        headers = {"Authorization": f"Bearer {TOKENS['app']}"}
        answer = httpx.get(self.reads + path, params=parameters, headers=headers, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def points(self, who: UUID, **parameters: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.read(f"/v1/members/{who}/points", **parameters)
        return found

    def collect(self, event_name: str, /, **changes: Any) -> UUID:
        """A fact that goes into the log with the next flush; its id. `at`: when it happened."""
        event = to_event(parse(example(event_name)), OpenSealer())
        at = changes.pop("at", event.meta.occurred_at)
        meta = changes.pop("meta", None) or replace(
            event.meta, event_id=uuid4().bytes, occurred_at=at
        )
        event = replace(event, meta=meta, **changes)
        self._collected.append((event.TOPIC, codec.key_of(event), codec.encode(event)))
        return UUID(bytes=meta.event_id)

    def flush(self) -> None:
        """Appends what was collected."""
        send(self.road.endpoints.kafka, iter(self._collected))
        self._collected = []

    def append(self, event_name: str, /, **changes: Any) -> UUID:
        """A fact, straight into the log; its id."""
        event_id = self.collect(event_name, **changes)
        self.flush()
        return event_id

    def earned(self, points: int, who: UUID | None = None, **more: Any) -> UUID:
        """A profile (a new one) that has earned so many, as one lot; waits until it is seen."""
        who = who or uuid4()
        lot = EarnedLot(lot_id=uuid4().bytes, points=points, **more)
        self.append("PointsEarned", profile_id=who.bytes, lots=[lot], transaction_id=uuid4().bytes)
        seen = "select 1 from point_entry where profile_id = %s and lot_id = %s"
        self.until(lambda: self.road.sql(seen, who, UUID(bytes=lot.lot_id)))
        return who

    def stored(self, who: UUID) -> int:
        """The sum of a profile's entries."""
        statement = "select coalesce(sum(points), 0)::bigint from point_entry where profile_id = %s"
        return int(self.road.sql(statement, who)[0][0])

    @staticmethod
    def until(true: Any, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.05)


@contextmanager
def wallet(home: Path) -> Iterator[Wallet]:
    """Servers, a projector, a decider and an API of a test's own."""
    with road(home, TOKENS) as own:
        made = Wallet(own)
        try:
            yield made
        finally:
            made.client.close()
