"""Is a connection whose server has gone handed to anybody?"""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from infra.backend import Endpoints
from services.runtime.db import Pool, pool

pytestmark = pytest.mark.servers
IDLE = "select pid from pg_stat_activity where application_name = 'pool-of-a-test'"


async def _pid(connections: Pool) -> int:
    async with connections.connection() as connection:
        row = await (await connection.execute("select pg_backend_pid()")).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_connection_that_was_ended_is_replaced_and_nobody_is_told(
    servers: Endpoints,
) -> None:
    async with pool(servers.postgres, name="pool-of-a-test", size=1) as connections:
        first = await _pid(connections)
        assert await _pid(connections) == first
        with psycopg.connect(servers.postgres, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", [first])
            while other.execute(IDLE).fetchall():
                await asyncio.sleep(0.01)
        assert await _pid(connections) != first


async def test_news_from_the_server_are_no_end(servers: Endpoints) -> None:
    async with pool(servers.postgres, name="pool-of-a-test", size=1) as connections:
        first = await _pid(connections)
        async with connections.connection() as connection:
            await connection.execute("listen news")
        with psycopg.connect(servers.postgres, autocommit=True) as other:
            other.execute("notify news")
        await asyncio.sleep(0.2)
        assert await _pid(connections) == first
