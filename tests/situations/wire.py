"""The shop's line to Hitotsu: events go to the gateway, questions to the API, requests to commands.

Every question asks for an answer that includes everything that was sent before it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

Event = dict[str, Any]
PATIENCE_SECONDS = 60.0
"""A machine that does other work too may need so long to begin."""


@dataclass(frozen=True)
class Addresses:
    """Where the processes listen, and the token of a caller with every right."""

    gateway: str
    api: str
    commands: str
    token: str


@dataclass
class Wire:
    """One caller. `positions`: by partition, the offset after the last event that was sent."""

    addresses: Addresses
    positions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        told = {"Authorization": f"Bearer {self.addresses.token}", "Purpose": "support"}
        # nothing is encrypted here: certificates, which take long to load, are not needed
        # what the gateway said of each event of the last request
        self.results: list[dict[str, Any]] = []
        self._http = httpx.Client(headers=told, timeout=20, trust_env=False, verify=False)

    def close(self) -> None:
        self._http.close()

    def send(self, events: Sequence[Event], headers: Mapping[str, str] | None = None) -> list[Any]:
        """Sends one request; the partition of each event. Every event must be taken."""
        return [place for place, _ in self.places(events, headers)]

    def places(
        self, events: Sequence[Event], headers: Mapping[str, str] | None = None
    ) -> list[tuple[str, int]]:
        """As `send`; partition and offset of each event."""
        url = f"{self.addresses.gateway}/v1/events"
        answer = self._http.post(url, json=list(events), headers=dict(headers or {}))
        results = answer.json().get("results", [])
        refused = [result for result in results if result["status"] != "accepted"]
        assert answer.status_code == 202 and not refused, (
            f"refused at the till: {answer.text[:600]}"
        )
        self.results = results
        places = [(f"{one['topic']}-{one['partition']}", one["offset"]) for one in results]
        for place, offset in places:
            self.positions[place] = max(self.positions.get(place, 0), offset + 1)
        return places

    def attempt(self, event: Event) -> httpx.Response:
        """Sends an event that may be refused; the gateway's answer."""
        return self._http.post(f"{self.addresses.gateway}/v1/events", json=[event])

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        """An answer of the API, whatever its status."""
        return self._answer("GET", path, params=parameters)

    def ask(self, path: str, **parameters: Any) -> Any:
        """The data of an answer of the API."""
        return _data(self.get(path, **parameters))

    def post(self, path: str, body: Any) -> Any:
        """The data of an answer of the API to a question in a body."""
        return _data(self._answer("POST", path, json=body))

    def request(self, path: str, body: Any) -> httpx.Response:
        """A request that may be refused; the answer of the commands process."""
        # a client of its own, so that several may ask at the same moment
        with httpx.Client(
            headers=self._http.headers, timeout=20, trust_env=False, verify=False
        ) as own:
            key = {"Idempotency-Key": str(uuid4())}
            return own.post(f"{self.addresses.commands}{path}", json=body, headers=key)

    def state(self, path: str) -> Any:
        """What the commands process knows of something that was requested."""
        answer = self._http.get(f"{self.addresses.commands}{path}")
        assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        return answer.json()

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Asks again while the API says that what was sent is not in yet."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        headers = {"Min-Position": json.dumps(self.positions)}
        while True:
            url = f"{self.addresses.api}{path}"
            answer = self._http.request(method, url, headers=headers, **more)
            if answer.status_code != 504 or time.monotonic() > deadline:
                return answer


def _data(answer: httpx.Response) -> Any:
    path = answer.request.url.path
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
    return answer.json()["data"]
