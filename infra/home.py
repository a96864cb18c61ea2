"""Where does a stack keep what it owns: data, logs, ports, secrets, recorded pids?

One private folder (0700). Its files are replaced whole, so that a reader never sees half of one.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import random
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOME_VARIABLE = "HITOTSU_HOME"
CACHE_VARIABLE = "HITOTSU_CACHE"
DEFAULT_HOME = Path("var/stack")
LOCK_WAIT_SECONDS = 300.0
PORTS = range(15_000, 32_000)
PORT_PATIENCE_SECONDS = 2.0

_KEYS = ("key_encryption_key", "blind_index_key", "gateway_private_key")
_PASSWORDS = ("postgres_password", "redis_password")


class HomeBusy(RuntimeError):
    """Another `up` or `down` holds the folder."""


class Home:
    """The private folder of one stack; nothing outside it is written."""

    def __init__(self, path: Path | str | None = None) -> None:
        chosen = path or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME
        self.path = Path(chosen).expanduser().absolute()
        self.logs = self.path / "logs"
        self.cache = Path(os.environ.get(CACHE_VARIABLE) or self.path / "cache").absolute()
        self._guard = threading.RLock()

    def open(self) -> Home:
        """Creates the folder, or takes back rights that others had on it."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        self.logs.mkdir(exist_ok=True)
        self.cache.mkdir(parents=True, exist_ok=True)
        return self

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @contextmanager
    def locked(self, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
        """One command at a time; the kernel lets go of the lock if its holder dies."""
        self.open()
        deadline = time.monotonic() + wait_seconds
        with (self.path / "lock").open("w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise HomeBusy(f"another command is working in {self.path}") from None
                    time.sleep(0.1)
            yield

    def read(self, name: str) -> dict[str, Any]:
        """The JSON object kept under that name; empty when there is none."""
        try:
            found = json.loads((self.path / f"{name}.json").read_text("utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        replace(self.path / f"{name}.json", content)

    def forget(self, name: str) -> None:
        (self.path / f"{name}.json").unlink(missing_ok=True)

    def port(self, name: str) -> int:
        """The port this name had last time when it is still free, else a new one."""
        with self._guard:
            ports = self.read("ports")
            known = ports.get(name)
            if isinstance(known, int) and _comes_free(known):
                return known
            ports[name] = free_port(taken=set(ports.values()))
            self.write("ports", ports)
            return int(ports[name])

    def secrets(self) -> dict[str, str]:
        """Keys and passwords of the local stack, made on first use and kept (0600)."""
        with self._guard:
            known = self.read("secrets")
            missing = [name for name in (*_KEYS, *_PASSWORDS) if name not in known]
            for name in missing:
                raw = secrets.token_bytes(32)
                known[name] = base64.b64encode(raw).decode() if name in _KEYS else raw.hex()
            if missing:
                self.open().write("secrets", known)
            return {name: str(value) for name, value in known.items()}

    def purge(self) -> None:
        """Removes data, secrets and logs; downloads stay."""
        for child in self.path.iterdir() if self.path.exists() else ():
            if child.is_dir() and child.name != "cache":
                shutil.rmtree(child)
            elif child.is_file() and child.name != "lock":
                child.unlink()


def replace(path: Path, content: dict[str, Any]) -> None:
    """Writes beside and renames, so that the old or the new content is there, never a mixture."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def free_port(taken: Collection[int] = ()) -> int:
    """A port that no client gets by chance: below the ranges that systems give to connections."""
    candidates = random.SystemRandom().sample(PORTS, 200)
    return next(port for port in candidates if port not in taken and is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _comes_free(port: int) -> bool:
    """A server that just ended may hold its port for a moment, and its clients know that port."""
    deadline = time.monotonic() + PORT_PATIENCE_SECONDS
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
