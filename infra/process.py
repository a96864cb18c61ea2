"""Starts, recognises and ends processes, by pid and start time.

A pid may later belong to another process. So it is recorded with the start time, and a signal is
sent only to a process that matches both.
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

# Popen objects of running children: without them Popen warns, and ended children stay zombies.
_children: dict[int, subprocess.Popen[bytes]] = {}


@atexit.register
def _let_go() -> None:
    """Marks running children as finished, so that Popen does not warn about them at exit."""
    for child in _children.values():
        if child.poll() is None:
            child.returncode = 0


class StartError(RuntimeError):
    """A server or service did not start, or could not be set up; the text gives the reason."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process as recorded in a state file: pid, and start time in seconds since 1970."""

    pid: int
    started: float

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> Recorded | None:
        if not record or not record.get("pid"):
            return None
        return cls(int(record["pid"]), float(record.get("started", 0.0)))

    def process(self) -> psutil.Process | None:
        """The live process; None if it has ended, or its pid belongs to another process."""
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
        """Whether the process is stopped by SIGSTOP (or Ctrl-Z)."""
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
        """Sends SIGCONT to the process, and its descendants if `family`, if they are frozen.

        Returns whether any was.
        """
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
        """Sends a signal if the process is alive; returns whether it was sent."""
        process = self.process()
        if process is None:
            return False
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return False
        return True

    def wait(self, seconds: float) -> bool:
        """Waits for the process to end; True if it ended within that time."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def stop(self, first: int = signal.SIGTERM, bound_seconds: float = 15.0) -> None:
        """Sends the signal `first`, waits up to `bound_seconds`, then sends SIGKILL."""
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

    `log`: the file for its output. `stdin`: bytes to send to it. `rights`: arguments of
    `subprocess` for another user. Raises OSError if the program cannot be run. A program that ends
    early is noticed by `wait_until`, not here.
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
    """Delays SIGINT and SIGTERM until the block ends, so that a started process is recorded.

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
    """Calls `ready` until it is True; StartError if the process ends or `bound_seconds` pass."""
    deadline = time.monotonic() + bound_seconds
    while not ready():
        if not process.alive:
            raise StartError(f"{name} ended while starting; {log} says:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise StartError(f"{name} not ready in {bound_seconds:.0f} s; {log} says:\n{tail(log)}")
        time.sleep(0.05)


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log file, indented; `(no log)` if it does not exist."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])
