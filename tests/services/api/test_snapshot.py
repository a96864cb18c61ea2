"""Are a snapshot's statements parsed and planned once a connection, whatever happened before?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.backend import Endpoints
from services.reading import database
from services.reading.database import PostgresAway, ReadSnapshot
from services.runtime.db import Pool, pool

pytestmark = pytest.mark.servers
NAME = "prepared_statements_of_snapshots"
SCHEMA = """
create schema hitotsu;
create table hitotsu.checkpoint (grp text, topic text, partition int, next_offset bigint);
create table hitotsu.item (sku text, quantity int);
insert into hitotsu.item values ('tea', 3);
"""
ITEM = "select quantity from item where sku = %(sku)s"
PREPARED = (
    "select count(*) as statements from pg_prepared_statements where statement like '%%item%%'"
)


@pytest.fixture
async def connections(servers: Endpoints) -> AsyncIterator[Pool]:
    """A pool of a single connection, so that every answer uses the same."""
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"create database {NAME}")
    dsn = make_conninfo(servers.postgres, dbname=NAME)
    try:
        with psycopg.connect(dsn) as connection:
            connection.execute(SCHEMA)
        async with pool(dsn, size=1) as connections:
            yield connections
    finally:
        with psycopg.connect(servers.postgres, autocommit=True) as connection:
            connection.execute(f"drop database {NAME} with (force)")


async def answer(connections: Pool, statement: str, **values: object) -> list[dict[str, object]]:
    """The rows of an answer; its connection is back in the pool afterwards."""
    snapshot = ReadSnapshot(connections, ["main"])
    try:
        return await snapshot.rows(statement, values)
    finally:
        snapshot.close()
        while database._detached:
            await asyncio.sleep(0)


async def statements(connections: Pool) -> object:
    async with connections.connection() as connection:
        (row,) = await (await connection.execute(PREPARED, prepare=False)).fetchall()
    return row[0]


async def test_a_statement_that_many_answers_ask_is_prepared(connections: Pool) -> None:
    for _ in range(8):
        assert await answer(connections, ITEM, sku="tea") == [{"quantity": 3}]
    assert await statements(connections) == 1


async def test_a_statement_that_fails_leaves_the_connection_of_use(connections: Pool) -> None:
    for _ in range(8):
        await answer(connections, ITEM, sku="tea")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await answer(connections, "select 1 / %(zero)s::int", zero=0)
    assert await answer(connections, ITEM, sku="tea") == [{"quantity": 3}]


async def test_a_column_that_gets_another_type_costs_a_retry_at_most(
    connections: Pool, servers: Endpoints
) -> None:
    for _ in range(8):
        await answer(connections, ITEM, sku="tea")
    with psycopg.connect(make_conninfo(servers.postgres, dbname=NAME)) as connection:
        connection.execute("alter table hitotsu.item alter quantity type bigint")
    deadline = time.monotonic() + 30
    while True:
        try:
            assert await answer(connections, ITEM, sku="tea") == [{"quantity": 3}]
            break
        except PostgresAway as error:
            assert "cached plan" in str(error) and time.monotonic() < deadline
