"""By which roads does the log fill? The bulk producer, the gateway over HTTP, and straight in.

Most of what a producer may say goes through the product's own bulk producer, one in twenty over
HTTP; what only a broken client would send goes to the broker without asking anybody.
"""

from __future__ import annotations

import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import httpx

from tests.faults.crew import ROOT
from tests.faults.disorder import Append
from tests.faults.sending import Sender

BY_HTTP, AT_ONCE, WAITING = 0.05, 50, 20_000
RETRY_SECONDS, GIVE_UP_SECONDS = 0.3, 180.0


class Bulk:
    """`python -m services.bulk -`, fed by a thread of its own; gone through, it says its counts."""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        self._lines: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        self._log = log
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.given = self.accepted = self.rejected = 0

    def put(self, line: bytes) -> None:
        self._lines.put(line)
        self.given += 1

    def join(self) -> None:
        """Waits until everything is acknowledged."""
        self._lines.put(None)
        self._thread.join()

    def _run(self) -> None:
        with open(self._log, "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.bulk", "-"], env=self._env, cwd=ROOT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
            assert process.stdin is not None and process.stdout is not None
            while (line := self._lines.get()) is not None:
                process.stdin.write(line + b"\n")
            process.stdin.close()
            said = process.stdout.read()
            process.stdout.close()
            process.wait()
        if said:
            counts = json.loads(said)
            self.accepted, self.rejected = counts["accepted"], counts["rejected"]


class Http:
    """Posts to the gateway until each request is answered with 202; keeps what was accepted."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._lines: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.accepted: dict[bytes, str] = {}
        self.requests = self.again = self.rejected = self.given_up = 0

    def put(self, line: bytes) -> None:
        self._lines.put(line)

    def join(self) -> None:
        self._lines.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/x-ndjson"}
        with httpx.Client(timeout=20, headers=headers, trust_env=False) as client:
            while not ended:
                batch: list[bytes] = []
                while len(batch) < AT_ONCE:
                    line = self._lines.get()
                    if line is None:
                        ended = True
                        break
                    batch.append(line)
                if batch:
                    self._post(client, b"\n".join(batch))

    def _post(self, client: httpx.Client, body: bytes) -> None:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        self.requests += 1
        while time.monotonic() < deadline:
            try:
                answer = client.post(f"{self._url}/v1/events", content=body)
            except httpx.TransportError:
                self.again += 1
                time.sleep(RETRY_SECONDS)
                continue
            if answer.status_code in (202, 422):
                self._keep(answer.json()["results"])
                return
            self.again += 1
            time.sleep(RETRY_SECONDS)
        self.given_up += 1

    def _keep(self, results: list[dict[str, str]]) -> None:
        for result in results:
            if result["status"] == "accepted":
                self.accepted[UUID(result["event_id"]).bytes] = result["topic"]
            else:
                self.rejected += 1


class Roads:
    """Sends a log in its order, each append by the road that it may take."""

    def __init__(
        self, straight: Sender, bulk: Bulk, http: Http, seed: int, appends: list[Append], rate: int
    ) -> None:
        self.straight, self.bulk, self.http = straight, bulk, http
        self._chance, self._appends, self._rate = random.Random(f"roads {seed}"), appends, rate
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.sent = 0

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> None:
        """Waits until every road has delivered."""
        self._thread.join()
        self.http.join()
        self.bulk.join()
        self.straight.finish()

    def _send(self) -> None:
        began = time.monotonic()
        for append in self._appends:
            if append.asked is None:
                self.straight.put(append)
            elif self._chance.random() < BY_HTTP:
                self.http.put(append.asked)
            else:
                self.bulk.put(append.asked)
            self.sent += 1
            if self.sent % 100 == 0:
                self.straight.poll()
                time.sleep(max(0.0, self.sent / self._rate - (time.monotonic() - began)))
