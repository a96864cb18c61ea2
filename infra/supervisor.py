"""The supervisor: a small process that keeps the services running and records their pids.

It reads the services from stdin, starts them, restarts a service that ends (after 0.5 s, later up
to 5 s), and writes the pids to the status file. On SIGTERM or SIGINT it stops all in reverse order.
Services of an earlier supervisor that still run are adopted.

    python -m infra.supervisor STATUS_FILE < services.json
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from infra.home import replace
from infra.process import Recorded

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 30.0
LOOK_SECONDS = 0.2
CANNOT_START = 127
STOP_BOUND_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Service:
    """A service to run: command, log file, and environment (added to the supervisor's).

    `url`, `metrics`: the addresses at which it will answer.
    """

    name: str
    argv: tuple[str, ...]
    log: str
    env: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    metrics: str | None = None


class Child(Protocol):
    """The process of a service: a child of this supervisor, or `Inherited`."""

    async def wait(self) -> int | None:
        """Waits for its end; returns the exit code, None if it is unknown."""

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


class Inherited:
    """A process that an earlier supervisor started: not a child of this one, so it is polled."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded

    async def wait(self) -> int | None:
        """Waits for its end; returns None, because only its parent gets the exit code."""
        while self._recorded.alive:
            await asyncio.sleep(LOOK_SECONDS)
        return None

    def terminate(self) -> None:
        self._recorded.send(signal.SIGTERM)

    def kill(self) -> None:
        self._recorded.send(signal.SIGKILL)


class Supervisor:
    """Keeps the services running until SIGTERM or SIGINT."""

    def __init__(
        self, services: list[Service], status: Path, earlier: Mapping[str, Any] | None = None
    ) -> None:
        self._services = services
        self._status_file = status
        self._stopping = asyncio.Event()
        self._running: dict[str, Child] = {}
        self._earlier = {
            name: recorded
            for name, entry in (earlier or {}).items()
            if (recorded := Recorded.of(entry)) is not None and recorded.alive
        }
        self._entries: dict[str, dict[str, Any]] = {
            service.name: {
                "url": service.url,
                "pid": None,
                "log": service.log,
                "metrics": service.metrics,
                "started": 0.0,
                "restarts": (earlier or {}).get(service.name, {}).get("restarts", 0),
                "exit": None,
            }
            for service in services
        }

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        keepers = [asyncio.create_task(self._keep(service)) for service in self._services]
        await self._stopping.wait()
        for service in reversed(self._services):
            await self._stop(service.name)
        await asyncio.gather(*keepers)

    async def _keep(self, service: Service) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            inherited = self._earlier.pop(service.name, None)
            if inherited is None:
                code = await self._run_once(service)
            else:
                code = await self._go_on(service, inherited)
            if self._stopping.is_set():
                return
            if time.monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            _say(f"{service.name} ended with {_in_words(code)}; it is restarted in {pause} s")
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                self._entries[service.name]["restarts"] += 1

    async def _run_once(self, service: Service) -> int | None:
        try:
            with open(service.log, "ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *service.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **service.env},
                    start_new_session=True,
                )
        except OSError as error:  # logging fails too when the disk is full
            _say(f"{service.name} cannot be started: {error}")
            return CANNOT_START
        return await self._watched(service, process, process.pid, _start_time(process.pid))

    async def _go_on(self, service: Service, recorded: Recorded) -> int | None:
        """Watches an adopted service until it ends; returns None, as its exit code is unknown."""
        _say(f"{service.name} already runs as process {recorded.pid}: adopted")
        child = Inherited(recorded)
        return await self._watched(service, child, recorded.pid, recorded.started)

    async def _watched(
        self, service: Service, child: Child, pid: int, started: float
    ) -> int | None:
        self._running[service.name] = child
        self._note(service.name, pid=pid, started=started, exit=None)
        if self._stopping.is_set():  # SIGTERM came while it was being started
            child.terminate()
        code = await child.wait()
        del self._running[service.name]
        self._note(service.name, pid=None, exit=code)
        return code

    async def _stop(self, name: str) -> None:
        process = self._running.get(name)
        if process is None:
            return
        process.terminate()
        deadline = time.monotonic() + STOP_BOUND_SECONDS
        while name in self._running:
            if time.monotonic() > deadline:
                _say(f"{name} did not stop in {STOP_BOUND_SECONDS:.0f} s: killed")
                process.kill()
                deadline += STOP_BOUND_SECONDS
            await asyncio.sleep(0.02)

    def _note(self, name: str, **changes: Any) -> None:
        self._entries[name].update(changes)
        try:
            replace(self._status_file, {"services": self._entries})
        except OSError as error:  # the next change writes it; the services go on
            _say(f"{self._status_file} cannot be written: {error}")


def _start_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _in_words(code: int | None) -> str:
    if code is None:
        return "an unknown exit code"
    return f"{code}, unasked" if code == 0 else str(code)


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")


def dump(services: list[Service], running: Mapping[str, Any]) -> bytes:
    """The JSON that `main` reads from stdin, so that secrets are neither on disk nor in `ps`.

    `running`: the entries of an earlier supervisor's status file; those that run are adopted.
    """
    described = [asdict(service) for service in services]
    return json.dumps({"services": described, "running": dict(running)}).encode()


def main() -> None:
    described = json.load(sys.stdin)
    services = [
        Service(**{**service, "argv": tuple(service["argv"])}) for service in described["services"]
    ]
    asyncio.run(Supervisor(services, Path(sys.argv[1]), described["running"]).run())


if __name__ == "__main__":
    main()
