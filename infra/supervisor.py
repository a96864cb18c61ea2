"""Who keeps the services running, and notes where they are?

A small process of its own: it starts what it is told on stdin, starts again what ends with an error
(after 0.5 s, then up to 5 s), writes pids into the status file and, on SIGTERM, stops all in
reverse order.

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
from typing import Any

import psutil

from infra.home import replace

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 30.0
STOP_BOUND_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Service:
    """What to run: a name, a command, its environment (added to ours) and where it will answer."""

    name: str
    argv: tuple[str, ...]
    log: str
    env: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    metrics: str | None = None


class Supervisor:
    """Runs the services until told to stop."""

    def __init__(self, services: list[Service], status: Path) -> None:
        self._services = services
        self._status_file = status
        self._stopping = asyncio.Event()
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._entries: dict[str, dict[str, Any]] = {
            service.name: {
                "url": service.url,
                "pid": None,
                "log": service.log,
                "metrics": service.metrics,
                "started": 0.0,
                "restarts": 0,
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
            code = await self._run_once(service)
            if code == 0 or self._stopping.is_set():
                return
            if time.monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            _say(f"{service.name} ended with {code}; again in {pause} s")
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                self._entries[service.name]["restarts"] += 1

    async def _run_once(self, service: Service) -> int:
        with open(service.log, "ab") as log:
            try:
                process = await asyncio.create_subprocess_exec(
                    *service.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **service.env},
                    start_new_session=True,
                )
            except OSError as error:
                _say(f"{service.name} cannot be started: {error}")
                return 127
        self._running[service.name] = process
        self._note(service.name, pid=process.pid, started=_start_time(process.pid), exit=None)
        code = await process.wait()
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
        replace(self._status_file, {"services": self._entries})


def _start_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")


def dump(services: list[Service]) -> bytes:
    """What `main` reads from stdin; secrets travel there and touch neither disk nor `ps`."""
    return json.dumps([asdict(service) for service in services]).encode()


def main() -> None:
    described = json.load(sys.stdin)
    services = [Service(**{**each, "argv": tuple(each["argv"])}) for each in described]
    asyncio.run(Supervisor(services, Path(sys.argv[1])).run())


if __name__ == "__main__":
    main()
