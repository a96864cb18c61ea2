"""Is what is held now asked together, never older than the question, and over servers that go?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from infra.backend import Endpoints
from services.reading.database import PostgresAway
from services.reading.held_amounts import QueryCoalescer
from services.runtime.db import Pool, pool

pytestmark = pytest.mark.servers
WHEN = "select key, statement_timestamp() from unnest(%(keys)s::text[]) as key"
SLOWLY = WHEN.replace("statement_timestamp()", "statement_timestamp(), pg_sleep(0.2)")
NAME = "promised-of-a-test"
MINE = "select pid from pg_stat_activity where application_name = %s"


@pytest.fixture
async def connections(servers: Endpoints) -> AsyncIterator[Pool]:
    async with pool(servers.postgres, name=NAME, size=1) as connections:
        yield connections


async def test_who_asks_at_once_is_answered_in_one_round_each_with_their_own(
    connections: Pool,
) -> None:
    rounds = QueryCoalescer(connections, WHEN)
    asked = [(f"sku-{number}", f"sku-{number + 1}") for number in range(64)]
    answers = await asyncio.gather(*map(rounds.rows, asked))
    assert [{key for key, _ in answer} for answer in answers] == list(map(set, asked))
    assert len({at for answer in answers for _, at in answer}) == 1
    await rounds.close()


async def test_a_question_of_later_gets_an_answer_of_later(connections: Pool) -> None:
    rounds = QueryCoalescer(connections, SLOWLY)
    first = asyncio.ensure_future(rounds.rows(("a",)))
    await asyncio.sleep(0.05)
    ((_, later, _),) = await rounds.rows(("a",))
    ((_, sooner, _),) = await first
    assert (later - sooner).total_seconds() >= 0.19
    await rounds.close()


async def test_a_server_that_went_between_two_questions_is_not_noticed(
    connections: Pool, servers: Endpoints
) -> None:
    rounds = QueryCoalescer(connections, WHEN)
    await rounds.rows(("a",))
    with psycopg.connect(servers.postgres, autocommit=True) as other:
        for (pid,) in other.execute(MINE, [NAME]).fetchall():
            other.execute("select pg_terminate_backend(%s)", [pid])
        while other.execute(MINE, [NAME]).fetchall():
            await asyncio.sleep(0.01)
    assert [key for key, _ in await rounds.rows(("b",))] == ["b"]
    await rounds.close()


async def test_everybody_of_a_round_that_fails_is_told_and_the_next_is_asked(
    connections: Pool,
) -> None:
    rounds = QueryCoalescer(
        connections, "select key, 1 / (key::int) from unnest(%(keys)s::text[]) as key"
    )
    told = await asyncio.gather(rounds.rows(("0",)), rounds.rows(("1",)), return_exceptions=True)
    assert [type(each) for each in told] == [psycopg.errors.DivisionByZero] * 2
    assert await rounds.rows(("1",)) == [("1", 1)]
    await rounds.close()


async def test_nobody_waits_for_ever_and_the_connection_comes_back(connections: Pool) -> None:
    rounds = QueryCoalescer(
        connections, "select key, pg_sleep(3) from unnest(%(keys)s::text[]) as key"
    )
    with pytest.raises(PostgresAway, match="no answer in time"):
        await rounds.rows(("a",))
    await rounds.close()
    async with connections.connection(timeout=5) as connection:  # the only one there is
        await connection.execute("select 1")


async def test_a_server_that_is_not_there_is_told_so() -> None:
    nowhere = pool("postgresql://postgres@127.0.0.1:1/none", name=NAME, size=1)
    await nowhere.open(wait=False)
    with pytest.raises(PostgresAway):
        await QueryCoalescer(nowhere, WHEN).rows(("a",))
    await nowhere.close()
