"""Do the demo's own customers lie around in clear, and is who is erased in no answer any more?"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from infra.stack import ROOT, Stack
from tests.e2e.demo_customers import Customer, customers, every_spelling
from tests.e2e.needles import Finder
from tests.e2e.reading import Staff
from tests.e2e.scanner import scan

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600), pytest.mark.long]
ERASED = 50
_SUMS = {
    "points": "SELECT count(*), sum(points), count(DISTINCT profile_id) FROM point_entry",
    "profiles": "SELECT count(*) FROM profile",
    "purchases": "SELECT count(*), count(DISTINCT owner_id) FROM sale",
    "stock": "SELECT count(*), sum(on_hand) FROM stock_cell",
    "inquiries": "SELECT count(*), count(DISTINCT profile_id) FROM inquiry",
}


@dataclass(frozen=True)
class Shop:
    """A folder in which the demo was run and left running."""

    folder: Path

    @property
    def status(self) -> dict[str, Any]:
        return Stack(self.folder / "stack").status()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A verb of the command line, as an operator types it."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
        environment["HITOTSU_HOME"] = str(self.folder / "stack")
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def sums(self) -> dict[str, Any]:
        """What the projections' rows add up to."""
        dsn = self.status["servers"]["postgres"]["url"]
        with psycopg.connect(dsn, options="-c search_path=main,hitotsu") as connection:
            return {name: connection.execute(query).fetchall() for name, query in _SUMS.items()}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("demo"))
    try:
        ran = shop.command("demo", "--keep")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        yield shop
    finally:
        Stack(shop.folder / "stack").stop(purge=True)


@pytest.fixture(scope="module")
def everybody(shop: Shop) -> list[Customer]:
    (tables,) = (shop.folder / "var/demo").glob("*.duckdb")
    return customers(tables)


@pytest.fixture(scope="module")
def leaving(everybody: list[Customer]) -> list[Customer]:
    """Fifty who ask to be forgotten: every twentieth."""
    return everybody[::20][:ERASED]


def test_nothing_shows_one_of_the_demos_customers(shop: Shop, everybody: list[Customer]) -> None:
    needles = every_spelling(everybody)
    assert len(everybody) == 1_000
    assert sum(customer.name is not None for customer in everybody) > 900
    assert sum(customer.email is not None for customer in everybody) > 950
    assert len(needles) > 14_000
    assert scan(shop.status, needles) == []


def test_fifty_erased_customers_are_in_no_answer_also_when_the_group_was_rebuilt(
    shop: Shop, everybody: list[Customer], leaving: list[Customer], tmp_path: Path
) -> None:
    staying = [customer for customer in everybody[1::20] if customer.name]
    for customer in leaving + staying[:5]:
        assert customer.profiles[0] in answers_to(shop, customer)
        assert shown(shop, [customer])
    before, held = totals(shop), [holdings(shop, customer) for customer in leaving]
    erase(shop, leaving, tmp_path)
    expect_forgotten(shop, leaving)
    assert totals(shop) == before
    assert [holdings(shop, customer) for customer in leaving] == held

    rebuilt = shop.command("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    differing = re.findall(r"│ (\w+) +│ (\d+) +│", rebuilt.stdout)
    assert len(differing) > 10
    assert {count for _, count in differing} == {"0"}
    expect_forgotten(shop, leaving)
    assert totals(shop) == before
    assert [holdings(shop, customer) for customer in leaving] == held
    for customer in staying:
        assert shown(shop, [customer]), "who stays is still known"
    assert scan(shop.status, every_spelling([*leaving, *staying])) == []


def test_a_customer_planted_anywhere_is_found(shop: Shop, everybody: list[Customer]) -> None:
    status, named = shop.status, [one for one in everybody if one.name and one.email][:4]
    in_kafka, in_postgres, in_redis, in_log = named
    phone = in_redis.identifiers[0]["value"]
    _plant_in_kafka(status, str(in_kafka.email))
    with psycopg.connect(status["servers"]["postgres"]["url"], autocommit=True) as connection:
        connection.execute("CREATE TABLE main.planted (what bytea)")
        connection.execute("INSERT INTO main.planted VALUES (%s)", [str(in_postgres.name).encode()])
    with redis.Redis.from_url(status["servers"]["redis"]["url"]) as client:
        client.hset("planted", "who", f"call {phone[:3]}-{phone[3:7]}-{phone[7:]}")
    log = Path(status["services"]["gateway"]["log"])
    with log.open("a") as file:
        file.write(json.dumps({"event": f"hello {in_log.name}"}) + "\n")
    found = scan(status, every_spelling(named))
    places = {(whose(named, hit.needle), hit.where.split()[0]) for hit in found}
    assert places >= {
        (in_kafka.number, "kafka"),
        (in_postgres.number, "postgres"),
        (in_redis.number, "redis"),
        (in_log.number, "file"),
    }


def erase(shop: Shop, leaving: list[Customer], folder: Path) -> None:
    """By the card's profile of one, by the account's of the next."""
    ids = folder / "ids.txt"
    ids.write_text("".join(f"{one.profiles[n % 2]}\n" for n, one in enumerate(leaving)))
    done = shop.command(
        "erase", "--yes", "--file", str(ids), "--reason", "request 2026-118", "--json"
    )
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)["erased"]
    erased = {line["profile_id"] for line in receipt if line["finished_at"]}
    assert erased == {profile for customer in leaving for profile in customer.profiles}


def expect_forgotten(shop: Shop, leaving: list[Customer]) -> None:
    for durable in (False, True):
        with Staff(shop.status, durable=durable) as staff:
            assert [staff.resolve(one.identifiers) for one in leaving] == [[]] * len(leaving)
            for customer in leaving:
                for profile in customer.profiles:
                    states = staff.get(f"/v1/members/{profile}")["profiles"]
                    assert all(state["erased_at"] for state in states)
    assert shown(shop, leaving) == set()


def shown(shop: Shop, of: list[Customer]) -> set[str]:
    """What of the customers' names, phones, e-mails, cards and accounts any answer shows."""
    sought = {value["value"] for customer in of for value in customer.identifiers}
    finder = Finder(every_spelling(of) | sought)
    text = "\n".join(answers_to(shop, customer) for customer in of)
    if len(of) > 1:
        with Staff(shop.status) as staff:
            lists = ("/v1/members", "/v1/inquiries", "/v1/terminals/gaps")
            text += "\n".join(json.dumps(one) for path in lists for one in staff.pages(path))
    return {hit.needle for hit in finder.find("answers", text.encode())}


def answers_to(shop: Shop, customer: Customer) -> str:
    """Everything about both profiles, from Redis and from Postgres, as text."""
    told = []
    for durable in (False, True):
        with Staff(shop.status, durable=durable) as staff:
            for profile in customer.profiles:
                told.append(staff.get(f"/v1/members/{profile}"))
                for inquiry in told[-1]["inquiries"]:
                    told.append(staff.get(f"/v1/inquiries/{inquiry['inquiry_id']}"))
    return json.dumps(told, ensure_ascii=False)


# what may be promised is not among them: one stranger's debt does not bind the other
ADDED_UP = (
    "balance", "active", "pending", "debt", "held", "earned", "redeemed", "taken_back", "expired",
)  # fmt: skip


def holdings(shop: Shop, customer: Customer) -> tuple[Any, ...]:
    """Points, lots and purchases of both profiles, one member's or, once erased, two strangers'."""
    points: Counter[str] = Counter()
    lots: Counter[str] = Counter()
    bought: Counter[tuple[str, int]] = Counter()
    with Staff(shop.status) as staff:
        members = {staff.get(f"/v1/members/{one}")["member_id"] for one in customer.profiles}
        for member in members:
            found = staff.get(f"/v1/members/{member}/points")
            points.update({name: found[name] for name in ADDED_UP})
            lots.update(json.dumps(lot, sort_keys=True) for lot in found["lots"])
            for sale in staff.get(f"/v1/members/{member}/purchases"):
                bought[sale["transaction_id"], sale["total"]] += 1
    return points, lots, bought


def totals(shop: Shop) -> dict[str, Any]:
    with Staff(shop.status) as staff:
        counts = {by: _counts(staff, by) for by in ("topic", "sku", "store_id")}
        stock = {json.dumps(cell, sort_keys=True) for cell in staff.pages("/v1/stock")}
        gaps = sorted(json.dumps(one) for one in staff.pages("/v1/terminals/gaps"))
    return {**shop.sums(), **counts, "cells": stock, "gaps": gaps}


def _counts(staff: Staff, by: str) -> list[str]:
    return sorted(json.dumps(one) for one in staff.pages("/v1/inquiries/counts", by=by))


def whose(of: list[Customer], needle: str) -> int:
    return next(customer.number for customer in of if needle in customer.spellings())


def _plant_in_kafka(status: dict[str, Any], text: str) -> None:
    settings = {"bootstrap.servers": status["servers"]["kafka"]["url"]}
    admin = AdminClient(settings)
    admin.create_topics([NewTopic("planted", 1, 1)])["planted"].result(30)
    producer = Producer({**settings, "compression.type": "zstd", "linger.ms": 50})
    for n in range(500):
        producer.produce("planted", f"{n}".encode() * 20)
    producer.produce("planted", b"", headers={"who": text.encode()})
    assert producer.flush(30) == 0
