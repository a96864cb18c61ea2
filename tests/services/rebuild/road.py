"""A road of a test's own: real servers, one projector, and the verbs run as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

from infra.backend import Endpoints
from infra.home import Home, free_port
from services.cli import local_services
from services.runtime.config import Settings
from tests.forks import Started, start
from tests.services.rebuild.trade import Sent, forget, send
from tests.stacks import empty_servers

ROOT = Path(local_services.__file__).resolve().parents[2]
TOKEN = "app-token-of-a-test"


class Road:
    """Servers, and the processes that work on them."""

    def __init__(
        self, home: Path, endpoints: Endpoints, env: dict[str, str], servers: Home
    ) -> None:
        """`servers`: where the servers' processes are recorded, for tests that kill them."""
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.endpoints, self.env = home, endpoints, env
        self.servers = servers
        self.settings: Settings = local_services.settings(env)
        self.redis: Redis = Redis.from_url(endpoints.redis, decode_responses=True)
        self.root = ROOT  # whose code is run; a test may have it run another
        self._running: list[Started] = []
        self._last: dict[str, Started] = {}
        self._thread = threading.local()
        self._connections: list[psycopg.Connection[Any]] = []

    def start(self, module: str, package: str = "services", **more: str) -> Started:
        """A service, ended with the road."""
        env = {**os.environ, "PYTHONPATH": str(self.root), **self.env, **more}
        with open(self.home / f"{module}.log", "ab") as log:
            process = start(f"{package}.{module}", env=env, cwd=self.root, output=log)
        self._running.append(process)
        self._last[module] = process
        return process

    def ended(self, module: str) -> bool:
        """Whether the service started last under this name is no more."""
        return self._last[module].poll() is not None

    def last(self, module: str) -> Started:
        """The service started last under this name."""
        return self._last[module]

    def api(self) -> str:
        """Starts the API; its address."""
        port = free_port()
        self.start("api", HITOTSU_PORT=str(port))
        return f"http://127.0.0.1:{port}"

    def send(self, records: Iterator[Sent], **more: Any) -> int:
        return send(self.endpoints.kafka, records, **more)

    def begin(self, *words: str) -> Started:
        """A verb, as a process of its own."""
        env = {**os.environ, "PYTHONPATH": str(self.root), **self.env}
        return start("services.cli", *words, env=env, cwd=self.root)

    def verb(self, *words: str, code: int = 0) -> dict[str, Any]:
        """What a verb says for programs."""
        process = self.begin(*words, "--json")
        out, errors = process.communicate(timeout=200)
        assert process.returncode == code, (out + errors).decode()[-3_000:]
        found: dict[str, Any] = json.loads(out)
        return found

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """The rows of a statement, on a connection that the thread keeps.

        What is waited for is asked ten times a second: a new connection costs both sides a hundred
        times as much as the question. One that broke since is made anew.
        """
        held: psycopg.Connection[Any] | None = getattr(self._thread, "connection", None)
        if held is not None:
            try:
                return _rows(held, statement, values)
            except psycopg.OperationalError:
                if not held.closed:
                    raise
        self._thread.connection = held = psycopg.connect(
            self.endpoints.postgres, autocommit=True, options="-c search_path=main,hitotsu",
            prepare_threshold=None,  # a plan that is kept may be of a table that was swapped since
        )  # fmt: skip
        self._connections.append(held)
        return _rows(held, statement, values)

    def applied(self) -> int:
        return int(self.sql("select coalesce(sum(next_offset), 0) from checkpoint")[0][0])

    def settle(self, at_least: int, seconds: float = 90) -> None:
        """Until so many records are applied, nothing moves, and nothing is owed to Redis."""
        deadline, before = time.monotonic() + seconds, -1
        while True:
            now = self.applied()
            if now >= at_least and now == before:
                owed = self.sql("select count(*) from redis_pending")[0][0]
                if self.sql("select 1 from cache_generation") and not owed:
                    return
            before = now
            assert time.monotonic() < deadline, f"{now} of {at_least} applied, then nothing"
            time.sleep(1.5)

    def stop(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for connection in self._connections:
            connection.close()
        self.redis.close()
        forget(self.endpoints.kafka)


def _rows(connection: psycopg.Connection[Any], statement: str, values: Sequence[Any]) -> list[Any]:
    cursor = connection.execute(statement.encode(), values)
    return cursor.fetchall() if cursor.description else []


@contextmanager
def road(home: Path, tokens: Mapping[str, str] | None = None) -> Iterator[Road]:
    """Empty servers with tables and topics; `tokens` by caller, as `local.TOKENS` has them."""
    with empty_servers() as stack:
        endpoints = stack.endpoints()
        env = local_services.environment(stack.home, endpoints)
        local_services.prepare(endpoints, env, tokens or {"app": TOKEN})
        own = Road(home, endpoints, env, stack.home)
        try:
            yield own
        finally:
            own.stop()
