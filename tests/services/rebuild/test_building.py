"""Does a projection that holds less than its group has read say so, and catch up by itself?"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from projections.terminal_gaps import projection as terminal_gaps
from schemas.generated.inputs import example, parse, to_event
from schemas.wire import codec
from tests.schemas.sealers import OpenSealer
from tests.services.rebuild.other_code import add_best_sellers, change, other_code
from tests.services.rebuild.road import TOKEN, Road, road
from tests.services.rebuild.trade import Trade

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
EVENTS, EVENTS_LONG = 3_000, 100_000
REFUSED_ID = b"refused by one: "
REFUSED = "no-such-shelf"
BEST = "/v1/best-sellers?channel=STORE"
GAPS = "/v1/terminals/gaps"
STOCK = "/v1/stock/watched"
REFUSES = f'''
    if any(line.sku == "{REFUSED}" for line in event.lines):
        raise ValueError("no shelf")
'''


class Shop:
    """A stack with history, whose processes are started again with other code."""

    def __init__(self, own: Road, code: Path) -> None:
        self.road, self.code, self.sent = own, code, 0
        self.http = httpx.Client(
            trust_env=False, timeout=10, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        self.url = ""

    def send(self, seed: int, many: int) -> None:
        self.sent += self.road.send(Trade(seed).records(many))

    def restart(self) -> None:
        """The projector and the API, with the code as it is now."""
        for module in ("projector", "api"):
            process = self.road.last(module)
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        self.road.root = self.code
        self.url = self.road.api()
        self.road.start("projector")
        self.until(lambda: self.get("/readyz").status_code in (200, 503))

    def get(self, path: str) -> httpx.Response:
        try:
            return self.http.get(self.url + path)
        except httpx.ConnectError:
            return httpx.Response(599)

    def until(self, true: Callable[[], Any], seconds: float = 120, restarts: bool = True) -> None:
        """Waits; whatever ends meanwhile is started again, as a supervisor does."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, self.log()[-3_000:]
            if restarts and self.road.ended("projector"):
                self.road.start("projector")
            time.sleep(0.1)

    def built(self) -> bool:
        """Nothing is being built, and a projector that was started after the swap is at work."""
        return not self.road.sql("select 1 from projection_building") and bool(
            self.road.sql("select 1 from checkpoint where owner is not null limit 1")
        )

    def log(self) -> str:
        return (self.road.home / "projector.log").read_text()

    @contextmanager
    def before_the_swap(self) -> Iterator[None]:
        """Builds fold, and wait with their swap as they do while Redis is filled."""
        with psycopg.connect(self.road.endpoints.postgres, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(hashtext('hitotsu.refill.main'))")
            yield

    def folded(self) -> int:
        try:
            rows = self.road.sql("select coalesce(sum(next_offset), 0) from main_rebuild.progress")
        except psycopg.errors.UndefinedTable:
            return 0
        return int(rows[0][0])

    def building_process(self) -> int:
        """The child of the projector started last that folds."""
        parent = self.road.last("projector").pid
        children = Path(f"/proc/{parent}/task").glob("*/children")
        (child,) = {int(pid) for text in children for pid in text.read_text().split()}
        return child

    def build_pids(self) -> list[int]:
        rows = self.road.sql(
            "select distinct pid from pg_stat_activity where application_name = 'hitotsu-rebuild'"
        )
        return [row[0] for row in rows]


@contextmanager
def opened(at: Path, events: int) -> Iterator[Shop]:
    """A shop whose group has read so many events, and a sale that a projection to come refuses."""
    with road(at / "home") as own:
        shop = Shop(own, other_code(at / "code"))
        own.start("projector")
        shop.url = own.api()
        shop.send(1, events)
        own.send(iter([_refused_sale()]))
        shop.sent += 1
        own.settle(shop.sent)
        yield shop
        shop.http.close()


def _refused_sale() -> Any:
    sale: Any = to_event(parse(example("PurchaseCompleted")), OpenSealer())
    lines = [replace(line, sku=REFUSED) for line in sale.lines]
    sale = replace(sale, meta=replace(sale.meta, event_id=REFUSED_ID), lines=lines)
    return sale.TOPIC, codec.key_of(sale), codec.encode(sale)


def new_projection(shop: Shop) -> None:
    """Adds the how-to's projection, with a view in Redis, and a sale that it refuses."""
    add_best_sellers(shop.code)
    handler = "def sold(event: PurchaseCompleted) -> Iterator[Row]:\n"
    change(shop.code, "best_sellers", handler, handler.rstrip("\n") + REFUSES)
    view = '    contended=True,\n    view=View(by=("sku",)),\n'
    change(shop.code, "best_sellers", "    contended=True,\n", view)
    change(shop.code, "best_sellers", "Projection, Row, key", "Projection, Row, View, key")


def raised_version(shop: Shop) -> None:
    version = terminal_gaps.version
    change(shop.code, "terminal_gaps", f"version={version}", f"version={version + 1}")


def says_building(shop: Shop, path: str, projection: str) -> None:
    """The question is answered with how far the build has come."""
    shop.until(lambda: shop.get(path).status_code == 503)
    shop.until(lambda: shop.get(path).json().get("read") is not None)
    answer = shop.get(path)
    problem = answer.json()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert (problem["type"], problem["projection"]) == ("/problems/building", projection)
    assert 0 < problem["read"] <= problem["total"]


def killed(shop: Shop, process: int) -> None:
    """What folds is ended in the middle; what it stored is not folded again."""
    before = shop.folded()
    assert before > 0
    os.kill(process, signal.SIGKILL)
    shop.until(lambda: not shop.build_pids(), restarts=False)
    assert shop.folded() == before
    shop.until(lambda: len(shop.build_pids()) > 1)
    assert shop.folded() >= before


def is_whole(shop: Shop) -> None:
    """Everything is answered from all that was read; only the refused sale is left out."""
    shop.until(lambda: shop.get(BEST).status_code == shop.get(GAPS).status_code == 200)
    best = shop.get(BEST).json()["data"]
    sold = shop.road.sql(
        "select sku, units from units_sold where channel = 'STORE'"
        " order by units desc, sku limit 10"
    )
    assert best and [(row["sku"], row["units"]) for row in best] == sold
    assert shop.road.verb("verify")["total"] == 0


def letters(shop: Shop) -> list[Any]:
    statement = "select stage, error_class, grps, status from dead_letter where event_id = %s"
    return shop.road.sql(statement, REFUSED_ID.hex())


def test_what_is_new_says_building_until_it_is_built_by_itself(tmp_path: Path) -> None:
    """Events flow meanwhile, and the process that folds is killed."""
    with opened(tmp_path, EVENTS) as shop:
        new_projection(shop)
        raised_version(shop)
        with shop.before_the_swap():
            shop.restart()
            says_building(shop, BEST, "best_sellers")
            says_building(shop, GAPS, "terminal_gaps")
            assert shop.get(STOCK).status_code == 200
            shop.send(2, 400)
            shop.until(lambda: shop.road.applied() >= shop.sent)
            assert shop.get(BEST).status_code == 503
            killed(shop, shop.building_process())
        shop.until(shop.built)
        shop.road.settle(shop.sent)
        is_whole(shop)
        assert letters(shop) == [("apply", "ValueError", ["main/best_sellers"], "open")]
        bought = "select count(*) from ledger where event_id = %s"
        assert shop.road.sql(bought, REFUSED_ID.hex()) == [(1,)]


@pytest.mark.long
def test_a_stack_with_much_history_builds_again_and_again(tmp_path: Path) -> None:
    """The projector is killed too; a column is added, and a mended handler takes the sale."""
    with opened(tmp_path, EVENTS_LONG) as shop:
        new_projection(shop)
        with shop.before_the_swap():
            shop.restart()
            says_building(shop, BEST, "best_sellers")
            shop.send(2, 2_000)
            killed(shop, shop.road.last("projector").pid)
        shop.until(shop.built)
        assert letters(shop) == [("apply", "ValueError", ["main/best_sellers"], "open")]
        change(shop.code, "best_sellers", REFUSES.strip("\n") + "\n", "")
        wider = "    units=total(),\n    sales=total(),\n"
        change(shop.code, "best_sellers", "    units=total(),\n", wider)
        change(shop.code, "best_sellers", "units=line.quantity)", "units=line.quantity, sales=1)")
        raised_version(shop)
        with shop.before_the_swap():
            shop.restart()
            says_building(shop, BEST, "best_sellers")
            shop.send(3, 2_000)
        shop.until(shop.built)
        shop.send(4, 200)
        shop.road.settle(shop.sent)
        is_whole(shop)
        assert letters(shop) == []
        refused = f"select units, sales from units_sold where sku = '{REFUSED}'"
        assert shop.road.sql(refused) == [(1, 1)]
