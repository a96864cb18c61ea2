"""Base of the native servers: check, record, start, stop, report progress."""

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
    """One of kafka, postgres, redis, registry."""

    name: ClassVar[str]

    def start(self, say: Say) -> str:
        """Starts it unless it runs; returns its URL."""

    def stop(self) -> None: ...


class ServerRecord:
    """A server's entry in the state file, written as soon as the process exists."""

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
        """The recorded process if it is alive and ours, else None."""
        recorded = Recorded.of(self.entry)
        return recorded if recorded is not None and recorded.alive else None

    def keep(self, process: Recorded, url: str, version: str, **more: str) -> None:
        """Records the process; the values in `more` are shown in `status` too."""
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
