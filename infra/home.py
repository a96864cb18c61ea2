"""The home: the private folder (mode 0700) of a stack, with data, logs, ports, secrets, pids.

Its JSON files are replaced by rename, so that a reader never sees a partial file.
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
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from infra.variables import variable

HOME_VARIABLE = "HITOTSU_HOME"
CACHE_VARIABLE = "HITOTSU_CACHE"
DEFAULT_HOME = Path("var/stack")
LOCK_WAIT_SECONDS = 300.0
PORTS = range(15_000, 32_000)
PORT_PATIENCE_SECONDS = 2.0

_KEYS = ("key_encryption_key", "blind_index_key", "gateway_private_key")
_PASSWORDS = ("postgres_password", "redis_password")


class HomeBusy(RuntimeError):
    """Another command has held the folder's lock for too long; the text names the command."""


class HomeUnusable(RuntimeError):
    """The folder cannot be created, entered or written; the text says why and what to do."""


def _nobody_told(_holder: str) -> None:
    """A `waiting_for` callback that does nothing."""


class Home:
    """The private folder of one stack.

    All files of the stack are in it, except: downloads, when `HITOTSU_CACHE` names a folder for
    them; Postgres' data, and perhaps a copy of its programs, when root starts it and its user
    cannot reach the home or the programs (`infra.closed_home`); and the data of containers.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        chosen = path or variable(HOME_VARIABLE) or DEFAULT_HOME
        self.path = Path(chosen).expanduser().absolute()
        self.logs = self.path / "logs"
        self.cache = Path(variable(CACHE_VARIABLE) or self.path / "cache").absolute()
        self._guard = threading.RLock()
        self._locked_by: int | None = None

    def open(self) -> Home:
        """Creates the folder with mode 0700, and those for logs and downloads; returns this home.

        Raises HomeUnusable.
        """
        with self._usable():
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self.logs.mkdir(exist_ok=True)
            self.cache.mkdir(parents=True, exist_ok=True)
        return self

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Converts an OSError to HomeUnusable."""
        try:
            yield
        except OSError as error:
            raise HomeUnusable(
                f"the folder {self.path} cannot be used: {reason_of(error)}; choose another with "
                f"--home or {HOME_VARIABLE}"
            ) from error

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @contextmanager
    def locked(
        self,
        wait_seconds: float = LOCK_WAIT_SECONDS,
        command: str = "",
        waiting_for: Callable[[str], None] = _nobody_told,
    ) -> Iterator[None]:
        """Holds the home's lock, so that only one command works in it; reentrant within a thread.

        If another command holds it, `waiting_for` is called once with that command's name and pid
        ("another command" if they are unknown); after `wait_seconds` HomeBusy is raised. The kernel
        releases the lock of a dead process. Raises HomeUnusable as `open`.
        """
        if self._locked_by == threading.get_ident():
            yield
            return
        self.open()
        with self._usable():
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            self._take(file, wait_seconds, waiting_for)
            self._say_who(file, f"{command or 'a command'} (process {os.getpid()})")
            self._locked_by = threading.get_ident()
            try:
                yield
            finally:
                self._locked_by = None
                self._say_who(file, "")

    def _take(self, file: TextIO, wait_seconds: float, waiting_for: Callable[[str], None]) -> None:
        deadline = time.monotonic() + wait_seconds
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "another command"
            if not told:
                waiting_for(holder)
                told = True
            if time.monotonic() > deadline:
                raise HomeBusy(
                    f"{holder} is working in {self.path}: wait until it is done, or choose another "
                    f"folder with --home or {HOME_VARIABLE}"
                ) from None
            time.sleep(0.1)

    @staticmethod
    def _say_who(file: TextIO, text: str) -> None:
        """Writes the holder's name ("": none) into the lock file; ignores errors (full disk)."""
        with suppress(OSError):
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()

    def read(self, name: str) -> dict[str, Any]:
        """The JSON object in `<name>.json`; {} if the file does not exist or holds no object."""
        try:
            with self._usable():
                try:
                    found = json.loads((self.path / f"{name}.json").read_text("utf-8"))
                except FileNotFoundError:
                    return {}
        except json.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Stores the object in `<name>.json`."""
        with self._usable():
            replace(self.path / f"{name}.json", content)

    def forget(self, name: str) -> None:
        (self.path / f"{name}.json").unlink(missing_ok=True)

    def port(self, name: str, *, in_use: bool = False) -> int:
        """The port that this name had last time, if it is free within two seconds; else a new one.

        `in_use`: the named process runs and uses its port, so the port is not checked.
        """
        with self._guard:
            ports = self.read("ports")
            known = ports.get(name)
            if isinstance(known, int) and (in_use or _comes_free(known)):
                return known
            ports[name] = free_port(taken=set(ports.values()))
            self.write("ports", ports)
            return int(ports[name])

    def secrets(self) -> dict[str, str]:
        """Keys and passwords of the local stack, created on the first call; file mode 0600."""
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
        """Removes everything in the folder but downloads and the lock.

        A symbolic link is removed, its target stays. Folders are removed last, so that secrets are
        removed even if a folder cannot be.
        """
        children = self.path.iterdir() if self.path.exists() else ()
        ours = [child for child in children if child.name not in ("cache", "lock")]
        folders = [child for child in ours if child.is_dir() and not child.is_symlink()]
        for child in ours:
            if child not in folders:
                child.unlink()
        for folder in folders:
            shutil.rmtree(folder)


def reason_of(error: OSError) -> str:
    """The text of the error without its number, and the path if the error has one."""
    text = (error.strerror or str(error)).lower()
    return f"{text} ({error.filename})" if error.filename else text


def replace(path: Path, content: dict[str, Any]) -> None:
    """Replaces a JSON file atomically: readers see the old or the new content."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def free_port(taken: Collection[int] = ()) -> int:
    """A free port below the ephemeral ports, which outgoing connections use."""
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
    """Whether the port is free, or becomes free within two seconds."""
    deadline = time.monotonic() + PORT_PATIENCE_SECONDS
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
