"""Do lots, allocations and balances come back to the byte when every projection is dropped?"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.services.points.program import ONE_IN_TEN, Program, program
from tests.services.points.wallet import HOLDS

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
PEOPLE, DEALS = 12, 60
TABLES = ("point_entry", "sale", "stock_cell", "program_rules")
DROP = """
drop schema main cascade;
delete from hitotsu.checkpoint where grp = 'main';
delete from hitotsu.cache_generation where grp = 'main';
"""
OWN = ("answer", "points_hold", "points_decided", "points_expired")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with program(tmp_path_factory.mktemp("dropped")) as own:
        own.sets(ONE_IN_TEN)
        yield own


def dumped(shop: Program, schema: str, tables: tuple[str, ...]) -> dict[str, bytes]:
    """Every row as Postgres writes it, in the order of its text."""
    found = {}
    with psycopg.connect(shop.road.endpoints.postgres) as connection:
        for table in tables:
            rows: list[bytes] = []
            names = [
                name
                for (name,) in connection.execute(
                    "select attname from pg_attribute where attrelid = %s::regclass"
                    " and attnum > 0 and attname <> 'row_version' order by attnum",
                    [f"{schema}.{table}"],
                )
            ]
            copy = f"copy (select {', '.join(names)} from {schema}.{table}) to stdout"
            with connection.cursor().copy(copy.encode()) as copied:  # type: ignore[arg-type]
                for row in copied:
                    rows.append(bytes(row))
            found[table] = b"".join(sorted(rows))
    return found


def trade(shop: Program, who: list[UUID]) -> int:
    """Sales, redemptions, holds and returns, one after the other; how many purchase records."""
    chance, sent = random.Random(8), 0
    sales: list[tuple[UUID, UUID]] = []
    for _ in range(DEALS):
        one, drawn = chance.choice(who), chance.random()
        if drawn < 0.5 or not sales:
            sales.append((one, shop.sells(one, [("tea", 2, chance.randint(200, 900))])))
            sent += 1
        elif drawn < 0.7:
            shop.redeem(one, chance.randint(1, 40), transaction_id=str(sales[-1][1]))
        elif drawn < 0.85:
            held = shop.hold(one, chance.randint(1, 40), mode="best_effort").json()
            if "hold_id" in held:
                shop.post(f"{HOLDS}/{held['hold_id']}/capture", {})
        else:
            whose, sale = sales.pop(chance.randrange(len(sales)))
            shop.brings(whose, sale, {1: chance.randint(1, 2)})
            sent += 1
        time.sleep(0.02)
    return sent


def balances(shop: Program, who: list[UUID]) -> list[dict[str, Any]]:
    return [shop.points(one) for one in who]


def settled(shop: Program, records: int) -> None:
    shop.quiet(records)
    shop.until(lambda: not shop.road.sql("select 1 from points_hold where state = 'captured'"))
    shop.until(lambda: not shop.road.sql("select 1 from redis_pending limit 1"))


def test_dropped_and_folded_again_nothing_is_another(shop: Program) -> None:
    who = [uuid4() for _ in range(PEOPLE)]
    records = trade(shop, who)
    settled(shop, records)
    rows, own = dumped(shop, "main", TABLES), dumped(shop, "hitotsu", OWN)
    shown = balances(shop, who)
    kinds = {row for (row,) in shop.road.sql("select distinct kind from point_entry")}
    assert {"earned", "redeemed", "reversed"} <= kinds
    applied = shop.road.applied()
    shop.projector.send_signal(signal.SIGTERM)
    shop.projector.wait(20)
    shop.until(lambda: _dropped(shop))
    shop.projector = shop.road.start("projector")
    shop.until(lambda: _applied(shop) >= applied, 90)
    settled(shop, records)
    assert dumped(shop, "main", TABLES) == rows
    assert dumped(shop, "hitotsu", OWN) == own, "a decision was made again"
    assert balances(shop, who) == shown
    assert shop.road.verb("verify", "points", "stock")["total"] == 0


def _dropped(shop: Program) -> bool:
    """False where a service that reads beside it takes its locks in another order."""
    with psycopg.connect(shop.road.endpoints.postgres, autocommit=True) as connection:
        try:
            connection.execute(DROP)
        except psycopg.errors.DeadlockDetected:
            return False
    return True


def _applied(shop: Program) -> int:
    try:
        return shop.road.applied()
    except psycopg.Error:  # the tables are being made
        return 0
