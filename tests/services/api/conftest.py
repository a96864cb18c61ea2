"""The API as its own process, over Postgres, Valkey and Kafka that tests may stop and freeze."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from infra.backend import Endpoints
from infra.home import free_port
from infra.stack import Stack
from infra.topics import create
from projections import discover
from projections.core.fold import Group
from schemas.rights import Role
from services.projector.database import prepare
from services.runtime.db import pool
from services.runtime.keys import SubjectKeys
from services.runtime.tokens import register
from tests.forks import Started, start
from tests.services.api.shop import ACCOUNT, CARD, Shop

READS = (
    "members:read",
    "points:read",
    "stock:read",
    "recommendations:read",
    "inquiries:read",
    "events:read",
)
TOKENS = {
    "staff": (*READS, "members:personal"),
    "all": READS,
    "app": ("members:read", "points:read", "stock:read", "recommendations:read"),
    "till": ("events:write",),
}


@dataclass
class Running:
    """The API, whom it serves, and the servers behind it."""

    url: str
    process: Started
    log: Path
    shop: Shop
    servers: Stack
    endpoints: Endpoints

    def ask(
        self, path: str, *, who: str = "staff", method: str = "GET", **more: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {who}-token", **more.pop("headers", {})}
        with httpx.Client(base_url=self.url, timeout=15, trust_env=False) as client:
            return client.request(method, path, headers=headers, **more)

    def answer(self, path: str, **more: Any) -> dict[str, Any]:
        got = self.ask(path, **more)
        assert got.status_code == 200, got.text
        found: dict[str, Any] = got.json()
        return found

    def until(self, path: str, served_from: str, **more: Any) -> dict[str, Any]:
        """Asks until the answer comes from there; a changed generation is seen within a second."""
        deadline = time.monotonic() + 60
        while (found := self.answer(path, **more))["served_from"] != served_from:
            assert time.monotonic() < deadline, f"still from {found['served_from']}"
            time.sleep(0.05)
        return found


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("api")
    servers = Stack(home, provider="native", registry=False)
    try:
        endpoints = servers.start_servers()
        yield from _served(servers, endpoints, home)
    finally:
        servers.stop(purge=True)


def _served(servers: Stack, endpoints: Endpoints, home: Path) -> Iterator[Running]:
    kek, blind = secrets.token_bytes(32), secrets.token_bytes(32)
    create(endpoints.kafka)
    prepare(endpoints.postgres, Group("main", discover()))
    with psycopg.connect(endpoints.postgres, autocommit=True) as connection:
        for name, scopes in TOKENS.items():
            role: Role | None = "till" if "events:write" in scopes else None
            register(connection, name, scopes, f"{name}-token", role)
    shop = Shop(
        endpoints.postgres, endpoints.redis, blind, asyncio.run(_keys(endpoints.postgres, kek))
    )
    shop.fill()
    port, log = free_port(), home / "api.log"
    environment = {
        **os.environ, **endpoints.environment(), "HITOTSU_PORT": str(port),
        "HITOTSU_KEY_ENCRYPTION_KEY": base64.b64encode(kek).decode(),
        "HITOTSU_BLIND_INDEX_KEY": base64.b64encode(blind).decode(),
        "HITOTSU_GATEWAY_PRIVATE_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }  # fmt: skip
    with log.open("wb") as output:
        process = start("services.api", env=environment, output=output)
    try:
        running = Running(f"http://127.0.0.1:{port}", process, log, shop, servers, endpoints)
        _wait_ready(running)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) in (0, -signal.SIGTERM), log.read_text()


async def _keys(dsn: str, kek: bytes) -> dict[bytes, bytes]:
    own = pool(dsn)
    async with own:
        return await SubjectKeys(own, kek).of([CARD.bytes, ACCOUNT.bytes])


def _wait_ready(running: Running) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert running.process.poll() is None, running.log.read_text()
        try:
            if httpx.get(f"{running.url}/readyz", timeout=3, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(running.log.read_text())
