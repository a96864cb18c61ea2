"""Starts modules by the fork server, with the methods of `subprocess.Popen` that tests use."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from schemas.wire.compiled_codec import PURE_VARIABLE

ROOT = Path(__file__).resolve().parents[1]

_starting = threading.Lock()
_servers: list[socket.socket] = []


class Forked:
    """A module that runs in a process of its own, forked from one that imported it before."""

    def __init__(
        self,
        module: str,
        *words: str,
        env: Mapping[str, str],
        cwd: Path | str = ROOT,
        stdin: int | None = None,
        output: IO[bytes] | None = None,
    ) -> None:
        """`output`: the file that gets standard output and errors; without it, `communicate`
        returns both. `stdin`: a descriptor; nothing can be read without it.
        """
        self.args = (module, *words)
        self.returncode: int | None = None
        self._kept = () if output else (_file(), _file())
        out, errors = (output, output) if output else self._kept
        request = {"module": module, "words": words, "env": dict(env), "cwd": str(cwd)}
        self._status, told = os.pipe()
        with open(os.devnull, "rb") as nothing:
            first = nothing.fileno() if stdin is None else stdin
            fds = [first, out.fileno(), errors.fileno(), told]
            with _starting:
                socket.send_fds(_server(), [json.dumps(request).encode()], fds)
        os.close(told)
        self._guard = threading.Lock()
        self._said = b""
        while b"\n" not in self._said:
            self._read()
        self.pid = int(self._said.split(b"\n")[0])

    def __del__(self) -> None:
        os.close(self._status)

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        with self._guard:
            while self.returncode is None and self._readable(0):
                self._read()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; `subprocess.TimeoutExpired` when it goes on running."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            if not self._readable(left):
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0.0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Waits for the end; what it wrote to standard output and errors."""
        self.wait(timeout)
        written = []
        for file in self._kept:
            file.seek(0)
            written.append(file.read())
            file.close()
        out, errors = written
        return out, errors

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM, unless it has ended."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _readable(self, seconds: float | None) -> bool:
        waiting = select.poll()  # `select.select` knows no descriptor above 1,023
        waiting.register(self._status, select.POLLIN)
        return bool(waiting.poll(None if seconds is None else seconds * 1_000))

    def _read(self) -> None:
        part = os.read(self._status, 64)
        self._said += part
        lines = self._said.splitlines(keepends=True)
        if len(lines) == 2 and lines[1].endswith(b"\n"):
            self.returncode = int(lines[1])
        elif not part:
            raise RuntimeError("the fork server ended")


Started = Forked | subprocess.Popen[bytes]


def start(
    module: str,
    *words: str,
    env: Mapping[str, str],
    cwd: Path | str = ROOT,
    stdin: int | None = None,
    output: IO[bytes] | None = None,
) -> Started:
    """A module in a process of its own, as `Forked`; anew where the code is not this checkout's,
    or where a socket cannot be what the fork server needs (macOS).
    """
    paths = env.get("PYTHONPATH")
    ours = paths in (None, str(ROOT), os.environ.get("PYTHONPATH"))
    # decides at the import of the codec
    same = env.get(PURE_VARIABLE) == os.environ.get(PURE_VARIABLE)
    if sys.platform == "linux" and ours and same:
        return Forked(module, *words, env=env, cwd=cwd, stdin=stdin, output=output)
    stream = subprocess.PIPE if output is None else output
    return subprocess.Popen(
        [sys.executable, "-m", module, *words], env=dict(env), cwd=cwd, stdout=stream,
        stderr=stream, stdin=subprocess.DEVNULL if stdin is None else stdin,
    )  # fmt: skip


def run(
    module: str,
    *words: str,
    env: Mapping[str, str],
    cwd: Path | str = ROOT,
    stdin: int | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """A module from its start to its end."""
    process = start(module, *words, env=env, cwd=cwd, stdin=stdin)
    out, errors = process.communicate(timeout=timeout)
    status = process.returncode
    assert status is not None
    return subprocess.CompletedProcess(process.args, status, out.decode(), errors.decode())


def _file() -> IO[bytes]:
    """A file without a name, for what a process writes; `communicate` closes it."""
    return tempfile.TemporaryFile()


def _server() -> socket.socket:
    """The socket of this process' fork server, which starts with the first request."""
    if not _servers:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", str(its.fileno())],
            pass_fds=[its.fileno()], cwd=ROOT, stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        server.returncode = 0  # it ends with this process, and nobody waits for it
        its.close()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        atexit.register(ours.close)
        _servers.append(ours)
    return _servers[0]
