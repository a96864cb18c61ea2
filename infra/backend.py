"""Selects who provides Kafka, Postgres, Redis and the registry for this stack.

`external` (your servers, by URL), `docker` (containers, when an engine answers) or `native`
(processes from Python packages that carry the servers). All three return the same `Endpoints`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from infra.home import Home

Progress = Callable[[str, str, bool], None]
"""Called with (server, what it is doing, whether it is ready)."""

PROVIDERS = ("external", "docker", "native")
PROVIDER_VARIABLE = "HITOTSU_PROVIDER"


class ProviderError(RuntimeError):
    """A provider cannot be used; the text says what to set or install."""


def silent(_server: str, _doing: str, _ready: bool) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of the four servers."""

    kafka: str
    postgres: str
    redis: str
    registry: str | None = None

    def environment(self) -> dict[str, str]:
        """The addresses as `HITOTSU_*` variables, for the services."""
        return {f"HITOTSU_{name.upper()}": url for name, url in asdict(self).items() if url}


class Backend(Protocol):
    """A way to provide the servers. `start` is idempotent; `stop` keeps all data."""

    name: str

    def start(self, progress: Progress) -> Endpoints: ...

    def stop(self, names: Collection[str] | None = None) -> None:
        """Stops these servers, or all."""

    def purge(self) -> None:
        """Removes the data that lies outside the home folder."""

    def restart(self, server: str) -> None: ...

    def servers(self) -> dict[str, dict[str, Any]]:
        """What `status` shows of each server: url, pid, log, version."""


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """A provider and the reason for it, as `hitotsu doctor` shows it."""

    name: str
    why: str


def decide(name: str = "auto") -> ProviderChoice:
    """The provider that a stack would use, and why; ProviderError when the named one cannot be
    used.
    """
    wanted = os.environ.get(PROVIDER_VARIABLE, "auto") if name == "auto" else name
    if wanted not in ("auto", *PROVIDERS):
        raise ProviderError(f"provider {wanted!r} is unknown: use auto, {', '.join(PROVIDERS)}")
    if wanted != "auto":
        _check(wanted)
        return ProviderChoice(wanted, "asked for")
    external = importlib.import_module("infra.external")
    if external.given():
        external.check()
        return ProviderChoice(
            "external", "HITOTSU_KAFKA, HITOTSU_POSTGRES and HITOTSU_REDIS are set"
        )
    obstacles = []
    for candidate, why in (("docker", "an engine answers"), ("native", "no engine answers")):
        try:
            _check(candidate)
        except ProviderError as error:
            obstacles.append(f"{candidate}: {error}")
        else:
            return ProviderChoice(candidate, why)
    raise ProviderError("no way to run the servers.\n" + "\n".join(obstacles))


def choose(name: str = "auto", home: Home | None = None, *, registry: bool = True) -> Backend:
    """The backend of that name, ready to start; checks that it can be used."""
    return reopen(decide(name).name, home or Home(), registry=registry)


def reopen(name: str, home: Home, *, registry: bool = True) -> Backend:
    """The backend that a home was started with, without checks: enough to inspect or stop it."""
    backend: Backend = importlib.import_module(_module_of(name)).backend(home, registry=registry)
    return backend


def _check(name: str) -> None:
    importlib.import_module(_module_of(name)).check()


def _module_of(name: str) -> str:
    return "infra.native.launcher" if name == "native" else f"infra.{name}"
