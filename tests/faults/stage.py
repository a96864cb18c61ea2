"""Where does a run play? In a private folder: real servers of its own, tables, topics, tokens."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.backend import Endpoints, reopen
from infra.home import Home
from infra.process import Recorded, StartError
from infra.stack import Stack
from services.cli import local_services

SERVERS = ("kafka", "postgres", "redis")
ATTEMPTS = 3
KEPT = Path(__file__).resolve().parents[2] / "var" / "faults"


@dataclass(slots=True)
class Stage:
    """One set of servers, and what a process has to know to use them."""

    home: Home
    endpoints: Endpoints
    env: dict[str, str]
    tokens: dict[str, str]

    @property
    def logs(self) -> Path:
        """Where processes write."""
        return self.home.logs

    def kill(self, name: str) -> int:
        """SIGKILL to a server; the pid it had."""
        recorded = self._recorded(name)
        recorded.send(signal.SIGKILL)
        recorded.wait(10)
        return recorded.pid

    def start(self, name: str) -> None:
        """Starts a server again where it was, and waits until it answers."""
        for attempt in range(ATTEMPTS):
            try:
                reopen("native", self.home, registry=False).restart(name)
                return
            except StartError:
                if attempt == ATTEMPTS - 1:
                    raise

    def freeze(self, name: str, seconds: float) -> int:
        """SIGSTOP to a server and all its children, SIGCONT after so long."""
        first = psutil.Process(self._recorded(name).pid)
        family = [first, *first.children(recursive=True)]
        for process in family:
            _signal(process, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            for process in reversed(family):
                _signal(process, signal.SIGCONT)
        return first.pid

    def _recorded(self, name: str) -> Recorded:
        recorded = Recorded.of(self.home.read("state")["servers"][name])
        assert recorded is not None, f"{name} was never started"
        return recorded


@contextmanager
def stage() -> Iterator[Stage]:
    """Brings everything up, and down again whatever happens; the logs of the last one are kept."""
    with tempfile.TemporaryDirectory(prefix="hitotsu-faults-") as folder:
        # processes that can be ended by their pid: a container's cannot
        stack = Stack(Path(folder) / "stack", provider="native", registry=False)
        try:
            endpoints = stack.start_servers()
            env = local_services.environment(stack.home, endpoints)
            tokens = local_services.tokens(stack.home)
            local_services.prepare(endpoints, env, tokens)
            yield Stage(stack.home, endpoints, env, tokens)
        finally:
            shutil.rmtree(KEPT, ignore_errors=True)
            shutil.copytree(stack.home.logs, KEPT, dirs_exist_ok=True)
            stack.stop(purge=True)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
