"""Does a projection that holds less than its group has read say so, and catch up by itself?"""

from __future__ import annotations

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
EVENTS = 3_000
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

    def build_pids(self) -> list[int]:
        rows = self.road.sql(
            "select distinct pid from pg_stat_activity where application_name = 'hitotsu-rebuild'"
        )
        return [row[0] for row in rows]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with road(tmp_path_factory.mktemp("building")) as own:
        shop = Shop(own, other_code(tmp_path_factory.mktemp("code") / "hitotsu"))
        own.start("projector")
        shop.url = own.api()
        shop.send(1, EVENTS)
        own.send(iter([_refused_sale()]))
        shop.sent += 1
        own.settle(shop.sent)
        yield shop
        shop.http.close()


def _refused_sale() -> Any:
    sale: Any = to_event(parse(example("PurchaseCompleted")), OpenSealer())
    lines = [replace(line, sku=REFUSED) for line in sale.lines]
    sale = replace(sale, meta=replace(sale.meta, event_id=b"refused by one: "), lines=lines)
    return sale.TOPIC, codec.key_of(sale), codec.encode(sale)


def test_a_new_projection_says_building_until_it_is_built_by_itself(shop: Shop) -> None:
    add_best_sellers(shop.code)
    change(
        shop.code, "best_sellers",
        "def sold(event: PurchaseCompleted) -> Iterator[Row]:\n",
        f"def sold(event: PurchaseCompleted) -> Iterator[Row]:{REFUSES}",
    )  # fmt: skip
    change(shop.code, "best_sellers", "    contended=True,\n",
           '    contended=True,\n    view=View(by=("sku",)),\n')  # fmt: skip
    change(shop.code, "best_sellers", "Projection, Row, key", "Projection, Row, View, key")
    with shop.before_the_swap():
        shop.restart()
        shop.until(lambda: shop.folded() > 0)
        shop.until(lambda: shop.get(BEST).json().get("read") is not None)
        answer = shop.get(BEST)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        problem = answer.json()
        assert problem["type"] == "/problems/building"
        assert problem["projection"] == "best_sellers"
        assert 0 < problem["read"] <= problem["total"]
        assert shop.get(STOCK).status_code == 200
        shop.send(2, 400)
        shop.until(lambda: shop.road.applied() >= shop.sent)
        assert shop.get(BEST).status_code == 503
        # killed in the middle: the process that folds ends with its projector
        before, killed = shop.folded(), shop.road.last("projector")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        shop.until(lambda: not shop.build_pids(), restarts=False)
        assert shop.folded() == before
        shop.until(lambda: len(shop.build_pids()) > 1)
        assert shop.folded() >= before
    shop.until(shop.built)
    assert before > 0
    shop.road.settle(shop.sent)
    shop.until(lambda: shop.get(BEST).status_code == 200)
    best = shop.get(BEST).json()["data"]
    sold = shop.road.sql(
        "select sku, units from units_sold where channel = 'STORE'"
        " order by units desc, sku limit 10"
    )
    assert best and [(row["sku"], row["units"]) for row in best] == sold
    (letter,) = shop.road.sql(
        "select stage, error_class, grps, status from dead_letter where event_id = %s",
        b"refused by one: ".hex(),
    )
    assert letter == ("apply", "ValueError", ["main/best_sellers"], "open")
    assert shop.road.sql(
        "select count(*) from purchase where event_id = %s", b"refused by one: ".hex()
    ) == [(1,)]
    assert shop.road.verb("verify")["total"] == 0


def test_a_raised_version_and_a_new_column_are_built_together(shop: Shop) -> None:
    """Events flow meanwhile; what a mended handler takes is no dead letter any more."""
    change(shop.code, "best_sellers", REFUSES.strip("\n") + "\n", "")
    change(shop.code, "best_sellers", "    units=total(),\n",
           "    units=total(),\n    sales=total(),\n")  # fmt: skip
    change(shop.code, "best_sellers", "units=line.quantity)", "units=line.quantity, sales=1)")
    version = terminal_gaps.version
    change(shop.code, "terminal_gaps", f"version={version}", f"version={version + 1}")
    with shop.before_the_swap():
        shop.restart()
        shop.until(lambda: shop.folded() > 0)
        for path, projection in ((BEST, "best_sellers"), (GAPS, "terminal_gaps")):
            shop.until(lambda path=path: shop.get(path).status_code == 503)  # type: ignore[misc]
            assert shop.get(path).json()["projection"] == projection
        shop.send(3, 400)
        shop.until(lambda: shop.road.applied() >= shop.sent)
    shop.until(shop.built)
    shop.send(4, 200)
    shop.road.settle(shop.sent)
    shop.until(lambda: shop.get(BEST).status_code == shop.get(GAPS).status_code == 200)
    assert shop.road.sql("select 1 from dead_letter where 'main/best_sellers' = any(grps)") == []
    assert shop.road.sql(f"select units, sales from units_sold where sku = '{REFUSED}'") == [(1, 1)]
    assert shop.road.verb("verify")["total"] == 0
