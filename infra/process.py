"""Starts, recognises and ends processes by pid and start time.

After a reboot or some days a pid alone may belong to another program. So it is recorded with the
start time, and only a process that matches both is signalled.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

START_TIME_TOLERANCE_SECONDS = 2.0
LOG_TAIL_LINES = 15

# Popen objects of children that outlive the call: dropping one warns, keeping it lets us reap it.
_children: dict[int, subprocess.Popen[bytes]] = {}


@atexit.register
def _let_go() -> None:
    """Marks children that still run as finished for Popen, which would warn about each at exit."""
    for child in _children.values():
        if child.poll() is None:
            child.returncode = 0


class StartError(RuntimeError):
    """A server or service did not start; the text gives the reason and its log file."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process as recorded in a state file: pid and start time."""

    pid: int
    started: float

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> Recorded | None:
        if not record or not record.get("pid"):
            return None
        return cls(int(record["pid"]), float(record.get("started", 0.0)))

    def process(self) -> psutil.Process | None:
        """The live process; None when it ended or the pid belongs to another program."""
        child = _children.get(self.pid)
        if child is not None and child.poll() is not None:
            del _children[self.pid]
            return None
        try:
            process = psutil.Process(self.pid)
            ours = abs(process.create_time() - self.started) <= START_TIME_TOLERANCE_SECONDS
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        return self.process() is not None

    @property
    def frozen(self) -> bool:
        """Whether it is alive and stopped by SIGSTOP (or Ctrl-Z)."""
        process = self.process()
        try:
            return process is not None and process.status() == psutil.STATUS_STOPPED
        except psutil.Error:
            return False

    @property
    def state(self) -> str:
        """`running`, `frozen` or `stopped`, for display."""
        if not self.alive:
            return "stopped"
        return "frozen" if self.frozen else "running"

    def resume(self, *, family: bool = True) -> bool:
        """Sends SIGCONT if it (or a child) is frozen; returns whether it was."""
        process = self.process()
        if process is None:
            return False
        frozen = False
        for member in (process, *(_children_of(process) if family else ())):
            try:
                if member.status() == psutil.STATUS_STOPPED:
                    member.send_signal(signal.SIGCONT)
                    frozen = True
            except psutil.Error:
                continue
        return frozen

    def send(self, number: int) -> bool:
        """Sends a signal if this is still our process; returns whether it was sent."""
        process = self.process()
        if process is None:
            return False
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return False
        return True

    def wait(self, seconds: float) -> bool:
        """Waits for its end; True when it ended within that time."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def stop(self, first: int = signal.SIGTERM, bound_seconds: float = 15.0) -> None:
        """Sends the first signal, waits at most that long, then sends SIGKILL."""
        sent = self.send(first)
        self.resume()  # a frozen process receives no signal until it is resumed
        if sent and not self.wait(bound_seconds):
            self.send(signal.SIGKILL)
            self.wait(5.0)


def _children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def spawn(
    argv: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    rights: Mapping[str, Any] | None = None,
) -> Recorded:
    """Starts a process in its own session, so that Ctrl-C in the terminal does not reach it.

    `rights`: run as another user (`user`, `group`, `extra_groups` of `subprocess`).
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            **(rights or {}),
        )
    if stdin is not None and child.stdin is not None:
        child.stdin.write(stdin)
        child.stdin.close()
    _children[child.pid] = child
    try:
        return Recorded(child.pid, psutil.Process(child.pid).create_time())
    except psutil.NoSuchProcess:
        raise StartError(f"{argv[0]} ended at once\n{tail(log)}") from None


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delays Ctrl-C and SIGTERM until the block ends, so that a started process is always recorded.

    Only the main thread receives signals; in other threads the block changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before: dict[int, Any] = {
        number: signal.signal(number, lambda came, _frame: held.append(came))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in held:
            signal.raise_signal(number)


def wait_until(
    ready: Callable[[], bool], process: Recorded, name: str, log: Path, bound_seconds: float = 60.0
) -> None:
    """Waits for a check to succeed; StartError when the process ends or time is over."""
    deadline = time.monotonic() + bound_seconds
    while not ready():
        if not process.alive:
            raise StartError(f"{name} ended while starting; {log} says:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise StartError(f"{name} not ready in {bound_seconds:.0f} s; {log} says:\n{tail(log)}")
        time.sleep(0.05)


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log file, read from its end."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])
