"""Which servers does a run use, and how does each entrant find them as if it were the first?"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg
import redis

from infra.home import CACHE_VARIABLE, Home
from infra.stack import Stack
from services.cli import local_services
from tests.benchmarks import sending, usage
from tests.benchmarks.trees import ROOT, THIS, Tree

PREFIX = "prefix."  # topics beside the product's, for the peer that gets only the first events
Connection = psycopg.Connection[Any]


class Servers:
    """One Kafka, one Postgres, one Redis, for the whole run, in a folder that goes afterwards."""

    def __init__(self) -> None:
        os.environ.setdefault(CACHE_VARIABLE, str(Home().cache))
        self._clients: list[Connection | redis.Redis] = []
        self._folder = tempfile.TemporaryDirectory(prefix="hitotsu-bench-")
        self.folder = Path(self._folder.name)
        self.stack = Stack(self.folder / "home", provider="auto", registry=False)

    def __enter__(self) -> Self:
        try:
            self.endpoints = self.stack.start_servers()
            self.postgres: Connection = psycopg.connect(self.endpoints.postgres, autocommit=True)
            self._clients.append(self.postgres)
            self.redis = redis.Redis.from_url(self.endpoints.redis)
            self._clients.append(self.redis)
        except BaseException:
            self.__exit__()
            raise
        self.env = {
            **os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": self._folder.name,
            **local_services.environment(self.stack.home, self.endpoints),
        }  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        self.stack.stop(purge=True)
        self._folder.cleanup()

    @property
    def tokens(self) -> dict[str, str]:
        return local_services.tokens(self.stack.home)

    def fresh(self, tree: Tree = THIS) -> None:
        """No topic, no table, nothing in Redis; then what the product prepares before it starts."""
        self.forget_ours()
        self.postgres.execute("drop schema if exists peers cascade")
        sending.remove_all(self.endpoints.kafka)
        if tree is not THIS:
            tree.prepare(self.env)
            return
        local_services.prepare(
            self.endpoints, local_services.environment(self.stack.home, self.endpoints), self.tokens
        )

    def forget_ours(self) -> None:
        """The product's tables and Redis, so that no autovacuum of theirs meets a peer."""
        self.postgres.execute("drop schema if exists main, hitotsu cascade")
        self.redis.flushall()

    def settle(self) -> None:
        """What earlier entrants left to be written is written now."""
        self.postgres.execute("checkpoint")

    def cpu_of(self, server: str) -> float:
        """CPU seconds of a server so far; 0 where it runs beyond our sight."""
        pid = self.stack.status()["servers"].get(server, {}).get("pid")
        return usage.cpu_seconds([pid]) if pid else 0.0

    def machine(self) -> dict[str, Any]:
        """What the figures belong to."""
        servers = self.stack.status()["servers"]
        versions = {name: entry.get("version", "") for name, entry in servers.items()}
        return {
            "cores": os.cpu_count(), "processor": _processor(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": f"{os.uname().sysname} {os.uname().release}",
            "python": ".".join(map(str, sys.version_info[:3])), **versions,
        }  # fmt: skip

    def partitions(self) -> int:
        """How many partitions the product reads; of whichever tree prepared the topics."""
        return sending.partitions(self.endpoints.kafka)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"
