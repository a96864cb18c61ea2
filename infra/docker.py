"""Runs the servers as containers on loopback ports.

testcontainers creates them; they keep running after the command. `down` stops them and keeps the
data of Kafka and Postgres, `down --purge` removes them. Their names contain a hash of the home
folder's path.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Collection
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from infra import probe
from infra.backend import Endpoints, Progress, ProviderError
from infra.home import Home
from infra.process import StartError

IMAGES = {
    "kafka": "confluentinc/cp-kafka:7.9.1",
    "postgres": "postgres:18",
    "redis": "valkey/valkey:9.0-alpine",
    "registry": "apicurio/apicurio-registry:3.3.3",
}
PORTS = {"kafka": 9093, "postgres": 5432, "redis": 6379, "registry": 8080}
READY_SECONDS = 120.0
ENGINE_TIMEOUT_SECONDS = 5


def check() -> None:
    """Raises ProviderError when no container engine answers or testcontainers is not installed."""
    if find_spec("testcontainers") is None or find_spec("docker") is None:
        raise ProviderError("testcontainers is missing: pip install '.[docker]'")
    _engine().close()


class DockerBackend:
    """Kafka, Postgres, Valkey and the registry in containers."""

    name = "docker"

    def __init__(self, home: Home, *, registry: bool) -> None:
        self.home = home
        self._names = [name for name in IMAGES if registry or name != "registry"]

    def start(self, progress: Progress) -> Endpoints:
        urls = {}
        for server in self._names:
            progress(server, f"starting {IMAGES[server]}", False)
            container = self._find(server)
            if container is None:
                self._create(server)
            elif container.status != "running":
                container.start()
        for server in self._names:
            url = self._url(server)
            reason = probe.wait(server, url, READY_SECONDS)
            if reason is not None:
                raise StartError(f"{server}: {reason}; docker logs {self._container_name(server)}")
            progress(server, f"ready at {probe.address(server, url)}", True)
            urls[server] = url
        return Endpoints(**urls)

    def stop(self, names: Collection[str] | None = None) -> None:
        self._each(lambda container: container.stop(timeout=20), names)

    def purge(self) -> None:
        self._each(lambda container: container.remove(force=True, v=True))

    def restart(self, server: str) -> None:
        container = self._find(server)
        if container is None:
            raise ProviderError(
                f"no container for {server!r}; known servers: {', '.join(self._names)}"
            )
        container.restart(timeout=20)
        reason = probe.wait(server, self._url(server), READY_SECONDS)
        if reason is not None:
            raise StartError(f"{server}: {reason}")

    def servers(self) -> dict[str, dict[str, Any]]:
        return {
            server: {
                "url": self._url(server),
                "pid": None,
                "log": f"docker logs {self._container_name(server)}",
                "version": IMAGES[server],
            }
            for server in self._names
        }

    def _create(self, server: str) -> None:
        from testcontainers.core.config import testcontainers_config

        testcontainers_config.ryuk_disabled = True  # it would remove them when we end
        container: Any = _MAKERS[server](self.home.secrets())
        # On loopback only: a port without address would be published on all interfaces.
        port = self.home.port(f"docker-{server}")
        container.ports = {f"{PORTS[server]}/tcp": ("127.0.0.1", port)}
        container.with_kwargs(name=self._container_name(server)).start()

    def _each(self, action: Callable[[Any], None], names: Collection[str] | None = None) -> None:
        for server in reversed(IMAGES):
            wanted = names is None or server in names
            container = self._find(server) if wanted else None
            if container is not None:
                action(container)

    def _find(self, server: str) -> Any | None:
        engine = _engine()
        name = self._container_name(server)
        found = engine.containers.list(all=True, filters={"name": f"^/?{name}$"})
        return found[0] if found else None

    def _container_name(self, server: str) -> str:
        home = hashlib.sha256(str(self.home.path).encode()).hexdigest()[:10]
        return f"hitotsu-{home}-{server}"

    def _url(self, server: str) -> str:
        port = self.home.read("ports").get(f"docker-{server}", PORTS[server])
        secrets = self.home.secrets()
        return {
            "kafka": f"127.0.0.1:{port}",
            "postgres": f"postgresql://postgres:{secrets['postgres_password']}@127.0.0.1:{port}/hitotsu",
            "redis": f"redis://:{secrets['redis_password']}@127.0.0.1:{port}/0",
            "registry": f"http://127.0.0.1:{port}/apis/ccompat/v7",
        }[server]


def _kafka(_secrets: dict[str, str]) -> Any:
    from testcontainers.community.kafka import KafkaContainer

    container = KafkaContainer(IMAGES["kafka"], port=PORTS["kafka"]).with_kraft()
    return container.with_envs(
        KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
        KAFKA_LOG_MESSAGE_TIMESTAMP_TYPE="LogAppendTime",
        KAFKA_LOG_RETENTION_MS="-1",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
    )


def _postgres(secrets: dict[str, str]) -> Any:
    from testcontainers.community.postgres import PostgresContainer

    return PostgresContainer(
        IMAGES["postgres"],
        username="postgres",
        password=secrets["postgres_password"],
        dbname="hitotsu",
        driver=None,
    ).with_command("postgres -c max_connections=200 -c shared_buffers=256MB -c max_wal_size=4GB")


def _redis(secrets: dict[str, str]) -> Any:
    from testcontainers.community.redis import RedisContainer

    password = secrets["redis_password"]
    command = f"valkey-server --requirepass {password} --save '' --appendonly no"
    return RedisContainer(IMAGES["redis"], password=password).with_command(command)


def _registry(_secrets: dict[str, str]) -> Any:
    """A registry that stores nothing: every `up` imports the schemas with their ids again."""
    from testcontainers.core.container import DockerContainer

    return DockerContainer(IMAGES["registry"])


_MAKERS: dict[str, Callable[[dict[str, str]], Any]] = {
    "kafka": _kafka,
    "postgres": _postgres,
    "redis": _redis,
    "registry": _registry,
}


def _engine() -> Any:
    docker: Any = import_module("docker")
    try:
        if not _listening():
            raise docker.errors.DockerException
        engine = docker.from_env(timeout=ENGINE_TIMEOUT_SECONDS)
        engine.ping()
    except docker.errors.DockerException:
        raise ProviderError(
            "no container engine answers: start Docker, set DOCKER_HOST, or use --provider native"
        ) from None
    return engine


def _listening() -> bool:
    """Whether the engine's Unix socket accepts connections; True for other addresses.

    Checked first because docker's client leaks a socket when it fails.
    """
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ENGINE_TIMEOUT_SECONDS)
        return probe.connect_ex(host.removeprefix("unix://")) == 0


def backend(home: Home, *, registry: bool) -> DockerBackend:
    return DockerBackend(home.open(), registry=registry)
