"""In which order do the native servers start and stop? All at once; the registry after Postgres."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

from infra.backend import Endpoints, Progress, ProviderError
from infra.home import Home
from infra.native import java, postgres, valkey
from infra.native.kafka import Kafka
from infra.native.postgres import Postgres
from infra.native.registry import Registry
from infra.native.server import Record, Server
from infra.native.valkey import Valkey
from infra.process import Recorded

STOP_ORDER = ("registry", "redis", "kafka", "postgres")


def check() -> None:
    """Raises when something that the native servers need is not on this machine."""
    obstacles = []
    for part in (java.executable, postgres.binaries, valkey.executable):
        try:
            part()
        except ProviderError as error:
            obstacles.append(str(error))
    if find_spec("jgo") is None:
        obstacles.append("no jgo to fetch Kafka's jars: pip install '.[native]'")
    if obstacles:
        raise ProviderError("; ".join(obstacles))


class NativeBackend:
    """Kafka, Postgres, Valkey and the registry as processes in the home folder."""

    name = "native"

    def __init__(self, home: Home, *, registry: bool) -> None:
        self.home = home
        self._servers: dict[str, Server] = {
            server.name: server for server in (Kafka(home), Postgres(home), Valkey(home))
        }
        if registry or Record(home, "registry").process is not None:
            self._servers["registry"] = Registry(home)

    def start(self, progress: Progress) -> Endpoints:
        """Starts what does not run; on failure stops what this call started."""
        running = {name for name in self._servers if Record(self.home, name).process is not None}
        postgres_ready = threading.Event()
        with ThreadPoolExecutor(len(self._servers)) as pool:
            started = {
                name: pool.submit(self._start, name, progress, postgres_ready)
                for name in self._servers
            }
        failed = next((f.exception() for f in started.values() if f.exception()), None)
        if failed is not None:
            for name in STOP_ORDER:
                if name in self._servers and name not in running:
                    self._servers[name].stop()
            raise failed
        return _endpoints(started)

    def stop(self) -> None:
        """Clients before what they use; pids are the recorded ones."""
        for name in STOP_ORDER:
            server = self._servers.get(name) or Registry(self.home)
            server.stop()

    def purge(self) -> None:
        """All of it is in the home folder."""

    def restart(self, server: str) -> None:
        if server not in self._servers:
            raise ProviderError(f"no server {server!r} here; there are {', '.join(self._servers)}")
        self._servers[server].stop()
        self._servers[server].start(lambda _doing: None)

    def servers(self) -> dict[str, dict[str, Any]]:
        found = {}
        for name in self._servers:
            entry = Record(self.home, name).entry
            recorded = Recorded.of(entry)
            if recorded is not None:
                entry["pid"] = recorded.pid if recorded.alive else None
                entry.pop("started")
                found[name] = entry
        return found

    def _start(self, name: str, progress: Progress, postgres_ready: threading.Event) -> str:
        began = time.monotonic()
        server = self._servers[name]
        already = Record(self.home, name).process is not None
        try:
            if isinstance(server, Registry) and not already:
                server.prepare(lambda doing: progress(name, doing, False))
                progress(name, "waiting for postgres", False)
                if not postgres_ready.wait(120.0):
                    raise ProviderError("registry: postgres did not come up")
            url = server.start(lambda doing: progress(name, doing, False))
        finally:
            if name == "postgres":
                postgres_ready.set()
        version = Record(self.home, name).entry.get("version", "")
        took = f"ready in {time.monotonic() - began:.1f} s"
        progress(name, f"{version} {'already running' if already else took}", True)
        return url


def _endpoints(started: dict[str, Future[str]]) -> Endpoints:
    return Endpoints(**{name: future.result() for name, future in started.items()})


def backend(home: Home, *, registry: bool) -> NativeBackend:
    return NativeBackend(home.open(), registry=registry)
