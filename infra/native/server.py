"""What the native servers share: the interface, and the record of a running process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from infra.home import Home
from infra.process import Recorded

Say = Callable[[str], None]

_recording = threading.Lock()


class Server(Protocol):
    """A native server: Kafka, Postgres, Valkey or the registry."""

    name: ClassVar[str]

    def start(self, say: Say) -> str:
        """Starts the server unless it runs; returns its URL. Reports the progress to `say`."""

    def stop(self) -> None: ...


class ServerRecord:
    """A server's entry in the home's state file, written as soon as its process exists."""

    def __init__(self, home: Home, name: str) -> None:
        self.home = home
        self.name = name

    @property
    def entry(self) -> dict[str, Any]:
        servers = self.home.read("state").get("servers", {})
        found = servers.get(self.name, {})
        return dict(found) if isinstance(found, dict) else {}

    @property
    def process(self) -> Recorded | None:
        """The recorded process; None if it has ended, or its pid belongs to another process."""
        recorded = Recorded.of(self.entry)
        return recorded if recorded is not None and recorded.alive else None

    def keep(self, process: Recorded, url: str, version: str, **more: str) -> None:
        """Records the process; `hitotsu status --json` also shows the values in `more`."""
        entry = {
            "url": url,
            "pid": process.pid,
            "log": str(self.home.log(self.name)),
            "version": version,
            "started": process.started,
            **more,
        }
        with _recording:
            state = self.home.read("state")
            state.setdefault("servers", {})[self.name] = entry
            self.home.write("state", state)

    def stop(self, first: int = signal.SIGTERM, bound_seconds: float = 20.0) -> None:
        recorded = self.process
        if recorded is not None:
            recorded.stop(first, bound_seconds)
