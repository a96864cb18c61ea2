"""Runs a Confluent-compatible schema registry (Apicurio) beside the other servers.

It uses its own database in the same Postgres. No service waits for it: producers and consumers take
schema ids from the repository.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from infra.home import Home
from infra.native import jars, java
from infra.native.server import Say, ServerRecord
from infra.process import StartError, spawn, wait_until

CONFLUENT_API = "/apis/ccompat/v7"
COMPATIBILITY = "FULL_TRANSITIVE"
MEMORY = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Registry:
    """The registry of a home; Postgres must run before `start`."""

    name: ClassVar[str] = "registry"

    def __init__(self, home: Home) -> None:
        self.home = home
        self.record = ServerRecord(home, self.name)

    def prepare(self, say: Say) -> Path:
        """Downloads and unpacks the registry if needed; returns its folder. Needs no Postgres."""
        return jars.registry_home(self.home.cache, say)

    def start(self, say: Say) -> str:
        if self.record.process is not None:
            return str(self.record.entry["url"])
        program = self.prepare(say)
        say("starting")
        port, management = self.home.port("registry"), self.home.port("registry-management")
        log = self.home.log(self.name)
        scratch = java.temporary(self.home.path / "registry")
        argv = [java.executable(), scratch, *MEMORY, "-jar", str(program / "quarkus-run.jar")]
        process = spawn(argv, log, env=self._environment(port, management), cwd=program)
        url = f"http://127.0.0.1:{port}{CONFLUENT_API}"
        self.record.keep(process, url, f"Apicurio {jars.REGISTRY_VERSION}")
        health = f"http://127.0.0.1:{management}/health/ready"
        wait_until(lambda: _get(health) == 200, process, self.name, log, 120.0)
        require_compatibility(url)
        return url

    def stop(self) -> None:
        self.record.stop(bound_seconds=15.0)

    def _environment(self, port: int, management: int) -> dict[str, str]:
        postgres = urlsplit(str(ServerRecord(self.home, "postgres").entry["url"]))
        return {
            **os.environ,
            # By default the management port listens on every interface.
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(port),
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
            "QUARKUS_MANAGEMENT_PORT": str(management),
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "postgresql",
            "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://127.0.0.1:{postgres.port}/registry",
            "APICURIO_DATASOURCE_USERNAME": str(postgres.username),
            "APICURIO_DATASOURCE_PASSWORD": str(postgres.password),
        }


def require_compatibility(url: str) -> None:
    """Sets the global compatibility rule to FULL_TRANSITIVE; StartError if that fails."""
    body = json.dumps({"compatibility": COMPATIBILITY}).encode()
    request = urllib.request.Request(
        f"{url}/config", body, {"content-type": "application/json"}, method="PUT"
    )
    try:
        urllib.request.urlopen(request, timeout=10).close()
        with urllib.request.urlopen(f"{url}/config", timeout=10) as answer:
            level = json.load(answer).get("compatibilityLevel")
    except (OSError, ValueError) as error:
        raise StartError(f"registry: the compatibility rule could not be set: {error}") from None
    if level != COMPATIBILITY:
        raise StartError(f"registry: compatibility is {level}, not {COMPATIBILITY}")


def _get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
