"""Does an upgrade list what it changes at one place of the log, and say loudly what it must not?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.backend import Endpoints
from projections import of_group
from projections.core.comparison import Comparison
from projections.core.fold import Group
from projections.core.sql import ddl
from services.projector.database import prepare
from services.rebuild import former_answers
from services.rebuild.former_answers import FormerAnswers
from tests.services.rebuild.test_building import Shop, killed, opened

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
EVENTS = 400
# the tables of before: an answer that the log does not give, and a balance that it does not give
OLDER = """
update projection_version set version = version - 1
where projection in ('purchases', 'shared_stock');
update stock_cell set on_hand = on_hand + 3 where sku = 'watched';
update point_entry set points = points + 5
where (event_id, number) = (select event_id, number from point_entry
    where kind = 'earned' and profile_id = '00000000-0000-0000-0000-0000000f4240' limit 1)
"""


def compared(shop: Shop) -> bool:
    try:
        return bool(shop.road.sql("select 1 from main_rebuild.compared_answer"))
    except psycopg.errors.UndefinedTable:
        return False


class Sides:
    """The tables of before and of now in one database, with rows put into them by hand."""

    def __init__(self, dsn: str) -> None:
        group = Group("main", of_group("main", "main"))
        prepare(dsn, group)
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.connection.execute("create schema main_rebuild")
        self.connection.execute("set search_path = main_rebuild, hitotsu")
        self.connection.execute(former_answers.TABLES.encode())
        for table in group.tables:
            self.connection.execute(ddl(table).encode())
        self.comparisons = [one for each in group.projections for one in each.comparisons]

    def points(self, schema: str, points: int, at: int = 5) -> None:
        self.connection.execute(
            f"insert into {schema}.point_entry (event_id, number, profile_id, lot_id, kind, points,"
            " at) values (%s, 0, %s, %s, 'earned', %s, %s)".encode(),
            [UUID(int=1), UUID(int=2), UUID(int=3), points, at],
        )

    def compare(self, comparisons: Sequence[Comparison]) -> dict[str, Any]:
        answers = FormerAnswers(self.connection, "main", "main_rebuild", {"shared_stock"})
        answers.compare(comparisons)
        answers.compare(comparisons)  # what was compared is not compared again
        rows = self.connection.execute("select answer, result from compared_answer").fetchall()
        return dict(rows)


@pytest.fixture
def sides(servers: Endpoints, request: pytest.FixtureRequest) -> Iterator[Sides]:
    name = f"sides_{abs(hash(request.node.name))}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    own = Sides(make_conninfo(servers.postgres, dbname=name))
    yield own
    own.connection.close()


def test_balances_that_the_log_does_not_give_are_said_loudly(
    sides: Sides, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    sides.points("main", 70)
    sides.points("main_rebuild", 50)
    results = sides.compare(sides.comparisons)
    assert results.keys() == {"balances", "stock"}, "purchases need the tables of before"
    assert all(one.get("failed") is None for one in results.values())
    found = results["balances"]
    assert (found["compared"], found["changed"], found["only_times"]) == (1, 1, 0)
    assert (found["replaced"], results["stock"]["replaced"]) == (False, True)
    rows = sides.connection.execute("select key, before, after, documents from changed_answer")
    ((key, before, after, documents),) = rows.fetchall()
    assert (key, before["balance"], after["balance"]) == ({"profile_id": str(UUID(int=2))}, 70, 50)
    assert [one["reason"] for one in documents] == ["other"]
    assert "upgrade_contradicts_the_log" in caplog.text + capsys.readouterr().out


def test_a_balance_that_waits_for_a_wrong_clock_is_no_contradiction(sides: Sides) -> None:
    sides.points("main", 70, at=1 << 60)
    sides.points("main_rebuild", 70)
    found = sides.compare(sides.comparisons)["balances"]
    assert (found["changed"], found["only_times"]) == (1, 1)
    assert found["reasons"] == {"time_put_right": 1}


def test_more_answers_than_are_kept_are_counted(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(former_answers, "LISTED_MAX", 3)
    sides.connection.execute(
        "insert into main.stock_cell (sku, location_id, on_hand, row_version)"
        " select 'item' || n, 'S001', n, 1 from generate_series(1, 2500) n"
    )
    found = sides.compare(sides.comparisons)["stock"]
    assert (found["compared"], found["changed"], found["listed"]) == (2_500, 2_500, 3)
    assert sides.connection.execute("select count(*) from changed_answer").fetchone() == (3,)


def test_a_comparison_that_fails_holds_up_nothing_and_is_said(sides: Sides) -> None:
    broken = [
        replace(one, candidates="select 1 / 0") if one.name == "stock" else one
        for one in sides.comparisons
    ]
    results = sides.compare(broken)
    assert results["stock"]["failed"] == "DivisionByZero: division by zero"
    assert results["balances"].get("failed") is None


@pytest.mark.long
def test_only_what_the_upgrade_changes_is_listed_although_sales_flow_and_it_is_killed(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, EVENTS) as shop:
        ((before,),) = shop.road.sql("select on_hand from stock_cell where sku = 'watched'")
        shop.road.sql(OLDER)
        with shop.before_the_swap():
            shop.restart()
            shop.until(lambda: compared(shop))
            shop.send(2, 200)
            shop.until(lambda: shop.road.applied() >= shop.sent)
            killed(shop, shop.building_process())
        shop.until(shop.built)
        shop.road.settle(shop.sent)
        report = shop.road.verb("upgrade", "report", code=1)
        changes = {one["answer"]: one for one in report["changes"]}
        assert len(report["changes"]) == len(changes) == 2
        _the_cell(changes["stock"], before)
        _the_balance(report, changes["balances"])
        process = shop.road.begin("upgrade", "report")
        said = process.communicate(timeout=60)[0].decode()
        assert "WRONG: 1 of " in said and "`hitotsu verify point_balance`" in said
        assert process.returncode == 1
        after = shop.road.sql("select on_hand from stock_cell where sku = 'watched'")
        assert after[0][0] >= before


def _the_cell(change: dict[str, Any], before: int) -> None:
    """No document explains it, and what was received meanwhile is in neither side."""
    assert change["key"]["sku"] == "watched"
    assert (change["before"]["on_hand"], change["after"]["on_hand"]) == (before + 3, before)
    assert change["documents"] == []


def _the_balance(report: dict[str, Any], change: dict[str, Any]) -> None:
    balances = report["answers"]["balances"]
    assert (balances["changed"], balances["replaced"]) == (1, False)
    assert report["contradicts_the_log"] is True
    more = sum(change["before"][name] - change["after"][name] for name in ("balance", "pending"))
    assert more == 5
    assert [one["reason"] for one in change["documents"]] == ["other"]
    assert report["answers"]["stock"]["reasons"] == {"unknown": 1}
    assert "purchases" not in report["answers"], "that release had the tables of now"
