"""Uses servers that already run elsewhere: checks that they answer, and never stops them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from infra import probe
from infra.backend import Endpoints, Progress, ProviderError
from infra.home import Home
from infra.variables import variable

REQUIRED = {
    "HITOTSU_KAFKA": "host:port of a bootstrap server",
    "HITOTSU_POSTGRES": "postgresql://user:password@host:port/database",
    "HITOTSU_REDIS": "redis://host:port/0",
}
REGISTRY = "HITOTSU_REGISTRY"


def given() -> bool:
    """Whether any of the variables is set; if only some are, `check` raises ProviderError."""
    return any(map(variable, REQUIRED))


def check() -> None:
    missing = [name for name in REQUIRED if not variable(name)]
    if missing:
        wanted = "; ".join(f"{name} ({REQUIRED[name]})" for name in missing)
        raise ProviderError(f"external servers need {wanted} in the environment")


class ExternalBackend:
    """Servers that are neither started nor stopped by a stack."""

    name = "external"

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    def start(self, progress: Progress) -> Endpoints:
        for server, entry in self.servers().items():
            progress(server, "connecting", False)
            reason = probe.obstacle(server, entry["url"])
            if reason is not None:
                raise ProviderError(f"HITOTSU_{server.upper()}: {reason}")
            progress(server, f"answers at {probe.address(server, entry['url'])}", True)
        return self._endpoints

    def stop(self, names: Collection[str] | None = None) -> None:
        """Does nothing: the servers do not belong to the stack."""

    def purge(self) -> None:
        """Does nothing: the data does not belong to the stack."""

    def restart(self, server: str) -> None:
        raise ProviderError(f"{server} is external: restart it where it runs")

    def servers(self) -> dict[str, dict[str, Any]]:
        found = {}
        for server in ("kafka", "postgres", "redis", "registry"):
            url = getattr(self._endpoints, server)
            if url:
                found[server] = {"url": url, "pid": None, "log": None, "version": None}
        return found


def backend(home: Home, *, registry: bool) -> ExternalBackend:
    """The servers in the environment; if it names none, those that the home was started with.

    Raises ProviderError when the environment names only some, or none and the home has no record.
    """
    known = home.read("state").get("endpoints")
    if known and not given():
        return ExternalBackend(Endpoints(**known))
    check()
    kafka, postgres, redis = (variable(name) or "" for name in REQUIRED)
    url = variable(REGISTRY) if registry else None
    return ExternalBackend(Endpoints(kafka=kafka, postgres=postgres, redis=redis, registry=url))
