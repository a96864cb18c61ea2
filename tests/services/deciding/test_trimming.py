"""Is what is past its keep deleted, and nothing else, whoever else trims at the same time?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.backend import Endpoints
from services.deciding.retention import AT_ONCE, TRIMS, trim
from services.runtime.metrics import TRIMMED
from services.state.migrate import migrate

pytestmark = pytest.mark.servers
Connection = AsyncConnection[TupleRow]
BY_TABLE = {one.table: one for one in TRIMS}
HOLD = """
insert into hitotsu.stock_hold
    (id, sku, location_id, quantity, channel, client, state, created_at, resolved_at, expires_at)
values (%s, %s, 'W1', 1, 'EC', 'ec', %s, now() - make_interval(days => %s),
    now() - make_interval(days => %s), now() - make_interval(days => %s))
"""


@pytest.fixture
async def connection(servers: Endpoints) -> AsyncIterator[Connection]:
    with psycopg.connect(servers.postgres, autocommit=True) as own:
        migrate(own)
        own.execute(
            "truncate hitotsu.answer, hitotsu.outbox, hitotsu.stock_hold, hitotsu.points_hold"
        )
    async with await AsyncConnection.connect(servers.postgres, autocommit=True) as other:
        yield other


async def trimmed(connection: Connection, table: str) -> int:
    return await trim(connection, BY_TABLE[f"hitotsu.{table}"])


async def left(connection: Connection, statement: str) -> list[Any]:
    cursor = await connection.execute(statement.encode())
    return [row[0] for row in await cursor.fetchall()]


async def test_answers_are_forgotten_after_thirty_days(connection: Connection) -> None:
    await connection.execute(
        "insert into hitotsu.answer (client, key, body_hash, created_at)"
        " select 'ec', n::text, '\\x00', now() - make_interval(hours => n)"
        " from generate_series(1, 2400) n"
    )
    before = TRIMMED.labels("answer")._value.get()
    assert 2 * AT_ONCE < 2400 - 30 * 24, "it takes several batches"
    assert await trimmed(connection, "answer") == 2400 - (30 * 24 - 1)
    assert TRIMMED.labels("answer")._value.get() - before == 2400 - (30 * 24 - 1)
    hours = await left(connection, "select key::int from hitotsu.answer")
    assert sorted(hours) == list(range(1, 30 * 24))
    assert await trimmed(connection, "answer") == 0


async def test_holds_go_once_they_are_long_over_and_a_promise_never_does(
    connection: Connection,
) -> None:
    # name: state, made, resolved, expires: days ago
    holds = {
        "released long ago": ("released", 40, 31, 40),
        "released of late": ("released", 40, 29, 40),
        "extended for long, released of late": ("released", 90, 2, 1),
        "applied long ago": ("applied", 40, 39, 39),
        "over by its time, and nobody asked since": ("open", 40, None, 39),
        "over by its time of late": ("open", 40, None, 3),
        "still held": ("open", 40, None, -1),
        "marked as over long ago": ("expired", 40, 39, 39),
        "committed long ago, not in the log yet": ("committed", 90, 89, 89),
    }
    for sku, row in holds.items():
        await connection.execute(HOLD, [uuid4(), sku, *row])
    assert await trimmed(connection, "stock_hold") == 4
    assert set(await left(connection, "select sku from hitotsu.stock_hold")) == {
        "released of late", "extended for long, released of late", "over by its time of late",
        "still held", "committed long ago, not in the log yet",
    }  # fmt: skip


async def test_points_held_go_as_units_do(connection: Connection) -> None:
    for state, ended in (("applied", 31), ("captured", 31), ("released", 31), ("released", 1)):
        await connection.execute(
            "insert into hitotsu.points_hold (id, profile_id, lot_id, points, place, whose,"
            " channel, client, state, created_at, resolved_at, expires_at)"
            " values (%s, %s, %s, 1, 0, %s,"
            " 'STORE', 'till', %s, now() - interval '40 days', now() - make_interval(days => %s),"
            " now() - interval '39 days')",
            [uuid4(), uuid4(), uuid4(), uuid4(), state, ended],
        )
    assert await trimmed(connection, "points_hold") == 2
    kept = await left(connection, "select state from hitotsu.points_hold")
    assert sorted(kept) == ["captured", "released"]


async def test_sent_facts_go_after_a_day_and_unsent_ones_stay(connection: Connection) -> None:
    await connection.execute(
        "insert into hitotsu.outbox (topic, record_key, record_value, sent_at)"
        " select 't', '', '', case when n % 10 = 0 then null"
        " else now() - make_interval(hours => 72 - n) end from generate_series(1, 60) n"
    )
    assert await trimmed(connection, "outbox") == 44  # 1 to 48, but for 10, 20, 30 and 40
    kept = "select count(*) from hitotsu.outbox where sent_at is null"
    assert await left(connection, kept) == [6]
    youngest = "select min(now() - sent_at) > interval '11 hours' from hitotsu.outbox"
    assert await left(connection, youngest) == [True]


async def test_two_who_trim_at_once_delete_each_row_once(
    servers: Endpoints, connection: Connection
) -> None:
    await connection.execute(
        "insert into hitotsu.answer (client, key, body_hash, created_at)"
        " select 'ec', n::text, '\\x00', now() - interval '31 days' from generate_series(1, 3000) n"
    )
    async with await AsyncConnection.connect(servers.postgres, autocommit=True) as other:
        deleted = await asyncio.gather(trimmed(connection, "answer"), trimmed(other, "answer"))
    rest = await trimmed(connection, "answer")
    assert sum(deleted) + rest == 3000
    assert await left(connection, "select count(*) from hitotsu.answer") == [0]


async def test_accepted_claims_go_once_the_projections_surely_know_them(
    connection: Connection,
) -> None:
    await connection.execute("truncate hitotsu.claim_decided")
    await connection.execute(
        "insert into hitotsu.claim_decided (transaction_id, profile_id, event_id, decided_at)"
        " select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),"
        " now() - make_interval(days => n) from generate_series(0, 40) n"
    )
    assert await trimmed(connection, "claim_decided") == 11
    assert await left(connection, "select count(*) from hitotsu.claim_decided") == [30]
