"""Is a process ready only when it can tell callers apart?"""

from __future__ import annotations

import asyncio
import base64
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import conninfo
from starlette.applications import Starlette

from infra.home import free_port
from infra.stack import ROOT
from services.http.bearer import tokens_needed
from services.http.health import health_operations
from services.runtime.config import Settings
from services.runtime.db import pool
from services.runtime.processes import processes
from services.runtime.tokens import Tokens
from services.state.migrate import migrate

OLDER_TABLE = """
CREATE SCHEMA hitotsu;
CREATE TABLE hitotsu.api_token (
    token_hash bytea PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
"""


@pytest.fixture
def older(servers: Any) -> Iterator[str]:
    """A database whose tokens have no role yet."""
    name = f"older_{uuid4().hex}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        dsn = conninfo.make_conninfo(servers.postgres, dbname=name)
        try:
            with psycopg.connect(dsn, autocommit=True) as own:
                own.execute(OLDER_TABLE)
            yield dsn
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def ready(app: Starlette) -> tuple[int, dict[str, Any]]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["dependencies"]["tokens"]


@pytest.mark.servers
def test_a_process_before_tables_of_an_older_release_is_not_ready_and_says_so(older: str) -> None:
    async def ask() -> None:
        async with pool(older, name="test") as postgres:
            operations = health_operations([tokens_needed(Tokens(postgres))])
            app = Starlette(routes=[each.route() for each in operations])
            status, state = await ready(app)
            assert status == 503
            assert "UndefinedColumn" in state["reason"]
            assert "hitotsu prepare" in state["reason"]
            with psycopg.connect(older, autocommit=True) as connection:
                migrate(connection)
            status, state = await ready(app)
            assert (status, state["ready"]) == (200, True)
            await postgres.close()
            # what is known counts while Postgres is away
            assert (await ready(app))[0] == 200

    asyncio.run(ask())


@pytest.mark.servers
def test_listing_tokens_names_what_tables_of_an_older_release_lack(older: str) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("HITOTSU_")}
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "tokens", "list"],
        env={**env, "HITOTSU_POSTGRES": older}, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "older release" in done.stderr
    assert "role" in done.stderr
    assert "hitotsu prepare" in done.stderr
    assert "no tables yet" not in done.stderr


@pytest.mark.parametrize("module", [each.module for each in processes() if each.port])
def test_every_service_that_checks_tokens_needs_them_to_be_ready(module: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    key = base64.b64encode(bytes(range(32))).decode()
    settings = Settings.model_validate(
        {
            "kafka": nowhere,
            "postgres": f"postgresql://{nowhere}/none",
            "redis": f"redis://{nowhere}/0",
            "key_encryption_key": key,
            "blind_index_key": key,
            "gateway_private_key": key,
        }
    )

    async def ask() -> None:
        status, state = await ready(importlib.import_module(f"{module}.app").create(settings))
        assert status == 503
        assert state["required"]
        assert not state["ready"]

    asyncio.run(ask())
