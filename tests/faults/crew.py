"""Which processes are at work? Each is started again when it ends; ended by its pid alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.home import free_port
from tests.forks import Started, start

ROOT = Path(__file__).resolve().parents[2]
KEEP_SECONDS, PAUSE_SECONDS = 0.1, 0.5


@dataclass(slots=True)
class Member:
    """One process by its name; another pid after each start."""

    name: str
    module: str
    port: int
    env: Mapping[str, str]
    process: Started | None = None
    not_before: float = 0.0

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Crew:
    """Processes with one environment and one folder for their logs."""

    env: Mapping[str, str]
    logs: Path
    members: dict[str, Member] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._guard = threading.RLock()
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def add(self, name: str, module: str, **env: str) -> Member:
        """Starts one more."""
        with self._guard:
            member = Member(name, module, free_port(), env)
            self.members[name] = member
            self._start(member)
            return member

    def remove(self, name: str, number: int = signal.SIGTERM) -> None:
        """Ends one for good."""
        with self._guard:
            member = self.members.pop(name)
        _end(member, number)

    def pid(self, name: str) -> int:
        """The process behind a name, as soon as there is one."""
        while True:
            with self._guard:
                member = self.members[name]
                if member.alive and member.process is not None:
                    return member.process.pid
            time.sleep(0.02)

    def kill(self, name: str) -> int:
        """SIGKILL; the pid it had."""
        pid = self.pid(name)
        with self._guard:
            process = self.members[name].process
            if process is not None and process.pid == pid:
                process.kill()
                process.wait()
        return pid

    def signal(self, name: str, number: int) -> int:
        """Any signal; the pid that got it."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def of_pid(self, pid: int) -> str | None:
        """The name of a process."""
        with self._guard:
            return next(
                (m.name for m in self.members.values() if m.process and m.process.pid == pid), None
            )

    def stop(self) -> None:
        """All of them, gently at first."""
        self._ending.set()
        self._keeper.join()
        for member in self.members.values():
            if member.process is not None:
                member.process.send_signal(signal.SIGCONT)
                member.process.terminate()
        for member in self.members.values():
            _end(member, signal.SIGTERM)

    def said(self, event: str) -> list[str]:
        """The lines of the logs about one event."""
        found = []
        for log in sorted(self.logs.glob("*.log")):
            for line in log.read_text(errors="replace").splitlines():
                if f'"event": "{event}"' in line:
                    found.append(f"{log.stem}: {line[line.index('{') :]}")
        return found

    def reasons(self) -> Counter[str]:
        """Why processes left of their own accord, as their logs say."""
        lines = [line[line.index("{") :] for line in self.said("projector_exiting")]
        return Counter(str(json.loads(line)["reason"]) for line in lines)

    def _start(self, member: Member) -> None:
        places = {
            "HITOTSU_PORT": str(member.port), "HITOTSU_METRICS_PORT": str(member.port),
            "HITOTSU_INSTANCE": member.name, "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        with open(self.logs / f"{member.name}.log", "ab") as log:
            env = {**os.environ, **places, **self.env, **member.env}
            member.process = start(member.module, env=env, output=log)
        # one that cannot start without its server must not spin
        member.not_before = time.monotonic() + PAUSE_SECONDS

    def _keep(self) -> None:
        while not self._ending.wait(KEEP_SECONDS):
            with self._guard:
                for member in self.members.values():
                    if member.alive or time.monotonic() < member.not_before:
                        continue
                    if member.process is not None and member.process.returncode != -signal.SIGKILL:
                        self.left[f"{member.module} exit {member.process.returncode}"] += 1
                    self._start(member)


def _end(member: Member, number: int) -> None:
    process = member.process
    if process is None or process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
