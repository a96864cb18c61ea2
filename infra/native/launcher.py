"""Starts the native servers in parallel, the registry after Postgres; stops them in sequence."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from importlib.util import find_spec
from typing import Any

from infra import probe
from infra.backend import Endpoints, Progress, ProviderError
from infra.home import Home
from infra.native import java, postgres, valkey
from infra.native.kafka import Kafka
from infra.native.postgres import Postgres
from infra.native.registry import Registry
from infra.native.server import Say, Server, ServerRecord
from infra.native.valkey import Valkey
from infra.process import Recorded, StartError

HUNG_SECONDS = 20.0
REFUSED = "FATAL"  # is in the error when Postgres refuses a connection
STOP_ORDER = ("registry", "redis", "kafka", "postgres")


def check() -> None:
    """Raises ProviderError if this machine lacks something for native servers; it names all."""
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
    """Kafka, Postgres, Valkey and the registry as processes with their files in the home folder."""

    name = "native"

    def __init__(self, home: Home, *, registry: bool) -> None:
        self.home = home
        self._servers: dict[str, Server] = {
            server.name: server for server in (Kafka(home), Postgres(home), Valkey(home))
        }
        if registry or ServerRecord(home, "registry").process is not None:
            self._servers["registry"] = Registry(home)
        self._broken_off = threading.Event()

    def start(self, progress: Progress) -> Endpoints:
        """Starts the servers that do not run, and restarts those that do not answer.

        On failure or Ctrl-C, stops the servers that did not run before. Raises the error of the
        server that failed; StartError with all texts if several failed.
        """
        new = {name for name in self._servers if ServerRecord(self.home, name).process is None}
        postgres_runs = Future[bool]()
        self._broken_off.clear()
        with ThreadPoolExecutor(len(self._servers)) as pool:
            try:
                started = {
                    name: pool.submit(self._start, name, progress, postgres_runs)
                    for name in self._servers
                }
                wait(started.values())
            except BaseException:
                # Ctrl-C: threads start no more servers, and waiting ones see their process end
                self._broken_off.set()
                self.stop(new)
                pool.shutdown(wait=True, cancel_futures=True)
                self.stop(new)  # those that were being started meanwhile
                raise
        failed = [f"{error}" for future in started.values() if (error := future.exception())]
        if failed:
            self.stop(new)
            first = next(error for future in started.values() if (error := future.exception()))
            raise first if len(failed) == 1 else StartError("\n".join(failed))
        return _endpoints(started)

    def stop(self, names: Collection[str] | None = None) -> None:
        """Stops servers by their recorded pids, Postgres last; `names` None: all."""
        for name in STOP_ORDER:
            if names is None or name in names:
                server = self._servers.get(name) or Registry(self.home)
                server.stop()

    def purge(self) -> None:
        """Does nothing: `Stack.stop` removes the home folder and the outside data folder."""

    def restart(self, server: str) -> None:
        if server not in self._servers:
            raise ProviderError(
                f"unknown server {server!r}; known servers: {', '.join(self._servers)}"
            )
        self._servers[server].stop()
        self._servers[server].start(lambda _doing: None)

    def servers(self) -> dict[str, dict[str, Any]]:
        found = {}
        for name in self._servers:
            entry = ServerRecord(self.home, name).entry
            recorded = Recorded.of(entry)
            if recorded is not None:
                entry["pid"] = recorded.pid if recorded.alive else None
                entry["state"] = recorded.state
                entry.pop("started")
                found[name] = entry
        return found

    def _start(self, name: str, progress: Progress, postgres_runs: Future[bool]) -> str:
        """Starts a server, or waits until it answers if it runs; returns its URL.

        `postgres_runs`: set when the start of Postgres has ended, to whether it succeeded; the
        registry waits for it.
        """
        began = time.monotonic()
        server = self._servers[name]

        def say(doing: str) -> None:
            if self._broken_off.is_set():
                raise StartError(f"{name}: the start was interrupted")
            progress(name, doing, False)

        already = ServerRecord(self.home, name).process is not None
        try:
            if already:
                already = self._answers(name, say)
            if isinstance(server, Registry) and not already:
                server.prepare(say)
                say("waiting for postgres")
                if not _result(postgres_runs, 120.0):
                    raise StartError("registry: postgres did not start")
            url = server.start(say)
        except BaseException:
            if name == "postgres":
                postgres_runs.set_result(False)
            raise
        if name == "postgres":
            postgres_runs.set_result(True)
        version = ServerRecord(self.home, name).entry.get("version", "")
        took = f"ready in {time.monotonic() - began:.1f} s"
        progress(name, f"{version} {'already running' if already else took}", True)
        return url

    def _answers(self, name: str, say: Say) -> bool:
        """Whether the running server answers within 20 seconds; else it is stopped.

        If it refuses the connection (too many connections, for example), it is left running and
        StartError is raised.
        """
        url = str(ServerRecord(self.home, name).entry["url"])
        reason = probe.obstacle(name, url)
        if reason is None:
            return True
        say(f"runs, but does not answer yet: {reason}")
        reason = probe.wait(name, url, HUNG_SECONDS)
        if reason is None:
            return True
        if REFUSED in reason:
            raise StartError(f"{name} runs, but refuses the connection: {reason}")
        say("does not answer: restarted")
        self._servers[name].stop()
        return False


def _result(future: Future[bool], seconds: float) -> bool:
    """The future's result; False if it has none within this time."""
    try:
        return future.result(seconds)
    except TimeoutError:
        return False


def _endpoints(started: dict[str, Future[str]]) -> Endpoints:
    return Endpoints(**{name: future.result() for name, future in started.items()})


def backend(home: Home, *, registry: bool) -> NativeBackend:
    return NativeBackend(home.open(), registry=registry)
