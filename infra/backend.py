"""Selects the provider of Kafka, Postgres, Redis and the registry for a stack.

`external`: servers that run already, by URL. `docker`: containers. `native`: processes of programs
that Python packages contain.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from infra.home import Home
from infra.variables import variable

Progress = Callable[[str, str, bool], None]
"""A callback for (server, what is being done with it, whether it is ready)."""

PROVIDERS = ("external", "docker", "native")
PROVIDER_VARIABLE = "HITOTSU_PROVIDER"


class ProviderError(RuntimeError):
    """Something that a command needs is missing or wrong; the text says what."""


def silent(_server: str, _doing: str, _ready: bool) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of the four servers (Kafka: host:port); `registry` None: there is none."""

    kafka: str
    postgres: str
    redis: str
    registry: str | None = None

    def environment(self) -> dict[str, str]:
        """The addresses as environment variables `HITOTSU_*`, for the services."""
        return {f"HITOTSU_{name.upper()}": url for name, url in asdict(self).items() if url}


class Backend(Protocol):
    """A provider of the servers.

    `start` leaves servers alone that run and answer. `stop` keeps the data of Kafka and Postgres.
    """

    name: str

    def start(self, progress: Progress) -> Endpoints: ...

    def stop(self, names: Collection[str] | None = None) -> None:
        """Stops the servers `names`; None: all of them."""

    def purge(self) -> None:
        """Removes what `Stack.stop` does not remove itself: containers and their volumes."""

    def restart(self, server: str) -> None: ...

    def servers(self) -> dict[str, dict[str, Any]]:
        """By server, what `hitotsu status --json` shows: at least url, pid, log and version."""


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """The chosen provider, and the reason for the choice, which `hitotsu doctor` shows."""

    name: str
    why: str


def decide(name: str = "auto") -> ProviderChoice:
    """The provider that a new stack would use, and why; for `auto`, HITOTSU_PROVIDER if it is set.

    Raises ProviderError when the named provider is unknown or cannot be used; for `auto`, when none
    can be used, or only some of the variables that name external servers are set.
    """
    wanted = (variable(PROVIDER_VARIABLE) or "auto") if name == "auto" else name
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
    for candidate, why in (("docker", "an engine answers"), ("native", "Docker cannot be used")):
        try:
            _check(candidate)
        except ProviderError as error:
            obstacles.append(f"{candidate}: {error}")
        else:
            return ProviderChoice(candidate, why)
    raise ProviderError("no way to run the servers.\n" + "\n".join(obstacles))


def choose(name: str = "auto", home: Home | None = None, *, registry: bool = True) -> Backend:
    """The backend of that provider, for a new stack; raises ProviderError as `decide`."""
    return reopen(decide(name).name, home or Home(), registry=registry)


def reopen(name: str, home: Home, *, registry: bool = True) -> Backend:
    """The backend of a home that was started with this provider.

    Does not check that the provider can be used. `external` raises ProviderError when only some of
    its variables are set.
    """
    backend: Backend = importlib.import_module(_module_of(name)).backend(home, registry=registry)
    return backend


def _check(name: str) -> None:
    importlib.import_module(_module_of(name)).check()


def _module_of(name: str) -> str:
    return "infra.native.launcher" if name == "native" else f"infra.{name}"
