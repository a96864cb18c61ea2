"""How many commands are granted a second, and how long does one wait?

Ours over HTTP: token, key, stored answer; a reservation holds a unit, a hold points; a capture
spends what is held and puts the fact into the outbox, whence it goes to Kafka and the projector; a
redemption is a hold and its capture in one. Beside it, in the same run and the same Postgres, the
least that could do either, without key or answer: a conditional UPDATE of a counter and an outbox
row, a transaction each, over as many connections of one process; once by itself, and once behind
the same HTTP server, asked by the same client.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from infra.home import free_port
from schemas.generated.events import PointsEarned, StockReceived
from schemas.generated.events.parts import EarnedLot, Meta
from services.cli import local_services
from services.runtime.producer import record_of
from services.sdk.ids import uuid7
from tests.benchmarks import report, rounds
from tests.benchmarks.bare import PATH, TAKE
from tests.benchmarks.freshness import figures
from tests.benchmarks.freshness.http import request
from tests.benchmarks.freshness.measuring import PATIENCE_SECONDS, asked, started
from tests.benchmarks.sending import send
from tests.benchmarks.servers import ROOT, Servers
from tests.benchmarks.workload import BEGAN, SHOP

ITEMS, PLENTY, FACTS = 2_000, 10_000_000, 500
OPEN = """
select id from hitotsu.points_hold where state = 'open' and profile_id = any(%s)
group by id order by min(created_at) limit %s
"""
HEAD = ("", "a second", "p50 ms", "p99 ms", "of bare", "of bare over HTTP", "wanted")
KINDS = {
    "ours": "reservations", "holds": "holds of points", "captures": "captures of these",
    "points": "redemptions",
}  # fmt: skip
MOST_A_SECOND = 9_000  # requests made beforehand: a key that is sent again is no decision
BARE = """
create schema if not exists peers;
create table if not exists peers.stock (sku text primary key, on_hand bigint, reserved bigint);
create table if not exists peers.outbox (id bigint generated always as identity, sku text);
truncate peers.stock; truncate peers.outbox;
"""


def main(arguments: list[str]) -> None:
    """Measures, prints, keeps."""
    options = _options(arguments)
    with Servers() as servers:
        servers.fresh()
        found: dict[str, Any] = {
            "machine": servers.machine(),
            "facts": FACTS,
            "connections": options.connections,
        }
        servers.stack.start_services(
            local_services.services(servers.stack.home),
            local_services.environment(servers.stack.home, servers.endpoints),
        )
        servers.stack.wait_ready()
        _stock(servers)
        for name, many in (("many", ITEMS), ("hot", 1)):
            rounds.say(f"{name}: {many:,} items, {many:,} accounts")
            load = Load(many, options.seconds, options.connections)
            bare = asyncio.run(_bare(servers.endpoints.postgres, load))
            found[name] = {
                "bare_http": _bare_http(servers, load),
                "ours": _ours(servers, _reserve, load),
                "holds": _ours(servers, _hold, load),
                "captures": _captures(servers, load),
                "points": _ours(servers, _redeem, load),
            }
            # before and after, the better: a host's own speed moves meanwhile
            again = asyncio.run(_bare(servers.endpoints.postgres, load))
            found[name]["bare"] = round(max(bare, again))
        rounds.say(f"400 a second, beside {FACTS} facts a second")
        placed = str(servers.folder / "placed")
        seconds = options.seconds + 3
        facts = started(
            servers, "sending", servers.endpoints.kafka, str(FACTS), str(seconds), placed
        )
        try:
            found["beside_facts"] = _ours(
                servers, _mixed, Load(ITEMS, options.seconds, 4 * options.connections), 400
            )
            facts.wait(PATIENCE_SECONDS)
        finally:
            facts.kill()
            facts.wait()
    rounds.say("\n" + report.as_markdown(HEAD, rows(found)))
    kept = report.keep(found, "commands" if options.seconds >= 10 else "commands-quick")
    rounds.say(f"\nkept in {kept.name}")


def rows(found: dict[str, Any]) -> list[list[str]]:
    """A measurement a line."""
    lines = []
    for name, said, wanted in (
        ("many", ("2,000 items", "2,000 accounts"), "800/s, 0.6 ×"),
        ("hot", ("one hot item", "one hot account"), "300/s, 0.6 ×"),
    ):
        bare, http = found[name]["bare"], found[name]["bare_http"]
        lines.append(["bare UPDATE and outbox row, no HTTP", f"{bare:,}", *[""] * 5])
        lines.append(["bare UPDATE and outbox row, over HTTP", *_three(http), "", "", ""])
        for what, verb in KINDS.items():
            ours = found[name][what]
            beside = [f"{ours['a_second'] / one:.2f} ×" for one in (bare, http["a_second"])]
            of = said[0] if what == "ours" else said[1]
            lines.append([f"{verb}, {of}", *_three(ours), *beside, wanted])
    beside = found["beside_facts"]
    said = f"both, 400/s beside {found['facts']} facts/s"
    return [*lines, [said, *_three(beside), "", "", "p99 120 ms"]]


def _three(ours: dict[str, Any]) -> list[str]:
    return [f"{ours['a_second']:,}", f"{ours['p50']:.1f}", f"{ours['p99']:.1f}"]


def _stock(servers: Servers) -> None:
    """Plenty of every item at one location, and of points for every account."""
    records = [
        record_of(StockReceived(meta=_meta(), sku=sku, location_id="W1", quantity=PLENTY))
        for sku in map(_sku, range(ITEMS))
    ] + [
        record_of(
            PointsEarned(
                meta=_meta(),
                profile_id=who.bytes,
                lots=[EarnedLot(lot_id=who.bytes, points=PLENTY)],
            )
        )
        for who in map(_who, range(ITEMS))
    ]
    send(servers.endpoints.kafka, records)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _count(servers) < 2 * ITEMS:
        if time.monotonic() > deadline:
            raise TimeoutError("the stock did not arrive")
        time.sleep(0.2)


def _count(servers: Servers) -> int:
    row = servers.postgres.execute(
        "select (select count(*) from main.stock_cell where on_hand > 0)"
        " + (select count(*) from main.point_entry)"
    ).fetchone()
    return int(row[0]) if row else 0


Make = Callable[[str, str, int], str]


@dataclass(frozen=True, slots=True)
class Load:
    """Among so many items or accounts, for so long, over so many connections."""

    among: int
    seconds: int
    connections: int


def _ours(servers: Servers, make: Make, load: Load, rate: int = 0) -> dict[str, Any]:
    """As many as go over the connections, or so many a second."""
    url = servers.stack.status()["services"]["commands"]["url"]
    token, many = servers.tokens["operator"], (rate or MOST_A_SECOND) * load.seconds
    requests = [make(url, token, number % load.among) for number in range(many)]
    return _measured(servers, _plan(url, requests, load, rate))


def _captures(servers: Servers, load: Load) -> dict[str, Any]:
    """Of the holds that are open now, the oldest first, as long as there are some."""
    url = servers.stack.status()["services"]["commands"]["url"]
    token = servers.tokens["operator"]
    whose = list(map(_who, range(load.among)))
    rows = servers.postgres.execute(OPEN, [whose, MOST_A_SECOND * load.seconds]).fetchall()
    requests = [_post(url, token, f"/v1/points/holds/{row[0]}/capture", {}) for row in rows]
    return _measured(servers, _plan(url, requests, load))


def _plan(url: str, requests: list[str], load: Load, rate: int = 0) -> dict[str, Any]:
    return {
        "url": url, "requests": {"asked": requests}, "seconds": load.seconds, "rate": rate,
        "connections": load.connections, "once": True,
    }  # fmt: skip


def _bare_http(servers: Servers, load: Load) -> dict[str, Any]:
    """The bare statement behind the server that ours has."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    dsn = servers.endpoints.postgres
    given = [dsn, str(port), str(load.connections)]
    words = [sys.executable, "-m", "tests.benchmarks.bare", *given]
    process = subprocess.Popen(words, env=servers.env, cwd=ROOT)
    try:
        _wait_for(port)
        requests = [
            base64.b64encode(
                request("POST", url, PATH, "", {"sku": _sku(number % load.among)})
            ).decode()
            for number in range(MOST_A_SECOND * load.seconds)
        ]
        return _measured(servers, _plan(url, requests, load))
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _measured(servers: Servers, plan: dict[str, Any]) -> dict[str, Any]:
    found = asked(servers, plan)
    waited = found["waits"]["asked"]
    return {"a_second": round(len(waited) / found["seconds"]), **figures.waits(waited)}


def _reserve(url: str, token: str, number: int) -> str:
    lines = [{"sku": _sku(number), "location_id": "W1", "quantity": 1}]
    body = {"channel": "STORE", "lines": lines, "ttl_seconds": 600}
    return _post(url, token, "/v1/stock/reservations", body)


def _redeem(url: str, token: str, number: int) -> str:
    body = {"profile_id": str(_who(number)), "channel": "STORE", "points": 1}
    return _post(url, token, "/v1/points/redemptions", body)


def _hold(url: str, token: str, number: int) -> str:
    body = {
        "profile_id": str(_who(number)), "channel": "STORE", "points": 1, "ttl_seconds": 600,
    }  # fmt: skip
    return _post(url, token, "/v1/points/holds", body)


def _mixed(url: str, token: str, number: int) -> str:
    return (_reserve if number % 2 else _redeem)(url, token, number)


def _post(url: str, token: str, path: str, body: dict[str, Any]) -> str:
    made = request("POST", url, path, token, body, Idempotency_Key=secrets.token_hex(8))
    return base64.b64encode(made).decode()


async def _bare(dsn: str, load: Load) -> float:
    """Granted a second by a statement and an outbox row in a transaction."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(BARE)
        connection.execute(
            "insert into peers.stock select 'item-' || n, %s, 0 from generate_series(0, %s) n",
            [PLENTY, load.among - 1],
        )
    granted, end = 0, time.perf_counter() + load.seconds

    async def worker(number: int) -> None:
        nonlocal granted
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            at = number
            while time.perf_counter() < end:
                sku = _sku(at % load.among)
                taken = await connection.execute(TAKE, [sku])
                assert taken.rowcount == 1
                await connection.execute("insert into peers.outbox (sku) values (%s)", [sku])
                await connection.commit()
                granted, at = granted + 1, at + load.connections

    await asyncio.gather(*(worker(number) for number in range(load.connections)))
    return granted / load.seconds


def _sku(number: int) -> str:
    return f"item-{number}"


def _who(number: int) -> UUID:
    return UUID(int=number + 1)


def _meta() -> Meta:
    return Meta(event_id=bytes.fromhex(uuid7().replace("-", "")), occurred_at=BEGAN, producer=SHOP)


def _options(arguments: list[str]) -> argparse.Namespace:
    asked_for = argparse.ArgumentParser(prog="python -m tests.benchmarks commands")
    asked_for.add_argument("--seconds", type=int, default=15, help="of each measurement")
    asked_for.add_argument("--connections", type=int, default=32, help="of ours and of the bare")
    return asked_for.parse_args(arguments)
