"""Does the whole road answer what the oracle says, and does the demo notice one wrong unit?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from infra.stack import Stack
from services.demo.shop import names
from tests.forks import run

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {
    **{name: text for name, text in os.environ.items() if name != "HITOTSU_HOME"},
    "PYTHONPATH": str(ROOT),
    "COLUMNS": "200",
}
ROWS = [
    "members",
    "identity",
    "balances",
    "stock",
    "suppression",
    "inquiries",
    "purchases",
    "receipts",
    "business days",
    "discrepancies",
    "terminal_gaps",
    "totals",
    "scene",
]


@dataclass(frozen=True)
class Shop:
    """A folder in which the demo was run and left running."""

    folder: Path
    first: subprocess.CompletedProcess[str]

    def demo(self, *options: str) -> subprocess.CompletedProcess[str]:
        return demo(self.folder, *options)

    def demo_of(self, questions: Iterable[str]) -> subprocess.CompletedProcess[str]:
        """Compares the answers to these questions alone, and to the fixed ones."""
        words = (",".join(questions), "demo", "--keep", "--check-only")
        module = "tests.services.demo.fewer_questions"
        return run(module, *words, env=ENVIRONMENT, cwd=self.folder, timeout=400)

    def report(self) -> dict[str, Any]:
        text = (self.folder / "var/demo/report.json").read_text(encoding="utf-8")
        return dict(json.loads(text))

    def differences(self) -> dict[str, int]:
        return {row["name"]: row["differences"] for row in self.report()["rows"]}

    def execute(self, statement: str) -> int:
        dsn = Stack(self.folder / "var/stack").endpoints().postgres
        with psycopg.connect(dsn) as connection:
            return connection.execute(statement).rowcount


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", "demo", *options]
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=400
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    try:
        yield Shop(folder, demo(folder, "--keep"))
    finally:
        Stack(folder / "var/stack").stop(purge=True)


def test_every_answer_equals_the_independent_calculation(shop: Shop) -> None:
    assert shop.first.returncode == 0, shop.first.stdout + shop.first.stderr
    report = shop.report()
    assert [row["name"] for row in report["rows"]] == ROWS
    assert shop.differences() == dict.fromkeys(ROWS, 0)
    assert report["events"] > 35_000
    assert report["events_per_second"] > 0


def test_everything_there_is_was_compared(shop: Shop) -> None:
    compared = {row["name"]: row["compared"] for row in shop.report()["rows"]}
    customers, items, places = 1_000, 180, 6
    assert compared["members"] >= 3 * customers
    assert compared["identity"] == shop.report()["identity"]["found"]
    assert compared["balances"] == 2 * (customers + customers // 10)
    codes = items * places + items // 10
    now, before = 2 * items * (places + 1) + codes, items * (places + 1)
    assert compared["stock"] == now + before
    assert compared["suppression"] == customers * items
    assert compared["inquiries"] > customers
    sales, lines = 3_000 - 2, 36_000
    assert compared["purchases"] > 5 * sales + lines + (9 * sales + lines) // 5
    assert compared["receipts"] > 13 * sales // 5
    assert compared["business days"] > 10 * 2_500 // 3
    assert compared["discrepancies"] > 10
    assert compared["terminal_gaps"] == 1 + 15


def test_profiles_that_share_no_identifier_find_each_other_and_nobody_else(shop: Shop) -> None:
    found = shop.report()["identity"]
    assert found["customers_without_a_common_identifier"] == 200
    assert found["wrong_pairs"] == 0
    assert found["recall"] >= 0.93
    missed = 200 - found["found"]
    assert found["cases_of_customers_not_found"] == missed, "whoever was not found is in a case"
    assert f"{found['found']} found" in shop.first.stdout


def test_it_says_where_to_look_next(shop: Shop) -> None:
    for word in ("/docs", "/metrics", "report.json", "events/s"):
        assert word in shop.first.stdout


REFUSED = "SELECT 1 FROM hitotsu.checkpoint WHERE conflict > 0 OR dead_letter > 0"
SALE = names.transaction(names.POS, 2)  # whose page the demo asks for
PLANTED = {
    "stock": (
        "UPDATE main.stock_cell SET on_hand = on_hand {sign} 1 "
        "WHERE sku = '17' AND location_id = 'STORE-3'"
    ),
    "balances": (
        "UPDATE main.point_entry SET points = points {sign} 1 WHERE number = 0 AND kind = 'earned' "
        f"AND program_id IS NULL AND transaction_id = '{SALE}'"
    ),
    "receipts": (
        "UPDATE main.sale SET documents = CASE '{sign}' "
        """WHEN '+' THEN replace(documents, '"E_MONEY"', '"QR"') """
        """ELSE replace(documents, '"QR"', '"E_MONEY"') END """
        f"WHERE transaction_id = '{SALE}'"
    ),
    "business days": (
        "UPDATE main.till_receipt SET sequence = sequence {sign} 1 WHERE event_id = "
        "(SELECT min(event_id::text)::uuid FROM main.till_receipt "
        "WHERE terminal_id <> '' AND told_day % 3 = 0)"  # of a day that the demo asks for
    ),
    "discrepancies": (
        "UPDATE main.purchase_discrepancy SET quantity = quantity {sign} 1 WHERE event_id = "
        "(SELECT min(event_id::text)::uuid FROM main.purchase_discrepancy WHERE quantity > 0)"
    ),
}


def test_nothing_was_put_aside(shop: Shop) -> None:
    assert shop.execute(REFUSED) == 0


def test_copies_of_receipts_are_known_as_copies(shop: Shop) -> None:
    assert shop.execute("SELECT 1 FROM main.duplicate_document") == 2_400 // 89


@contextmanager
def planted(shop: Shop) -> Iterator[None]:
    """One wrong unit of each kind is in the tables."""
    for statement in PLANTED.values():
        assert shop.execute(statement.format(sign="+")) == 1
    try:
        yield
    finally:
        for statement in PLANTED.values():
            shop.execute(statement.format(sign="-"))


def reported(shop: Shop, again: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The differences of the rows in which nothing was planted."""
    assert again.returncode == 1, again.stdout + again.stderr
    found = shop.differences()
    for row in PLANTED:
        assert found.pop(row) > 0
        assert f"{row} " in again.stdout
    assert "expected" in again.stdout
    return found


def test_one_wrong_unit_of_each_kind_is_reported(shop: Shop) -> None:
    with planted(shop):
        again = shop.demo_of(PLANTED)
    found = reported(shop, again)
    assert found == dict.fromkeys(found, 0), again.stdout


@pytest.mark.long
def test_all_questions_report_wrong_units_wherever_they_show(shop: Shop) -> None:
    with planted(shop):
        again = shop.demo("--keep", "--check-only")
    found = reported(shop, again)
    assert found.pop("totals") == 1, "points that were earned are counted there too"
    assert found.pop("purchases") == 1, "and shown on their sale's page"
    assert found == dict.fromkeys(found, 0), again.stdout


@pytest.mark.long
def test_a_second_run_sends_only_resends_and_changes_no_answer(shop: Shop) -> None:
    again = shop.demo("--keep")
    assert again.returncode == 0, again.stdout + again.stderr
    assert shop.execute(REFUSED) == 0


def test_another_scale_is_refused_while_the_stack_runs(shop: Shop) -> None:
    refused = shop.demo("--scale", "0.02")
    assert refused.returncode == 2
    assert "down --purge" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("scale", ["0", "1000", "nan"])
def test_a_scale_that_makes_no_sense_is_refused_by_name(tmp_path: Path, scale: str) -> None:
    refused = demo(tmp_path, "--scale", scale)
    assert refused.returncode == 2
    assert "scale" in refused.stderr
    assert "Traceback" not in refused.stderr
