"""Does the process that decides watch the invariants, and say so where Prometheus looks?"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.invariants.catalogue import INVARIANTS
from tests.services.stock.shop import Shop, shop

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("invariants")) as own:
        yield own


def metric(shop: Shop, name: str) -> dict[str, float]:
    """Values by invariant, as scraped."""
    text = shop.client.get("/metrics").text
    return {
        sample.labels["invariant"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_a_violation_planted_by_hand_is_scraped_until_it_is_repaired(open_shop: Shop) -> None:
    sku = open_shop.stocked(5)
    assert open_shop.reserve(sku, 2).status_code == 201
    checked = "hitotsu_invariant_checked_keys_total"
    about = [one.name for one in INVARIANTS if one.about == "stock"]

    def least() -> float:
        seen = metric(open_shop, checked)
        return min(seen.get(name, 0) for name in about)

    open_shop.until(lambda: least() >= 1, 60)
    none = {one.name: 0 for one in INVARIANTS}
    open_shop.until(lambda: metric(open_shop, "hitotsu_invariant_violations") == none, 60)
    raised = "update stock_cell set on_hand = on_hand + %s where sku = %s"
    open_shop.road.sql(raised, 1, sku)

    def wrong() -> float:
        return metric(open_shop, "hitotsu_invariant_violations")["stock_recomputed"]

    open_shop.until(lambda: wrong() == 1, 60)
    assert metric(open_shop, "hitotsu_invariant_violations")["stock_hold_resolved_twice"] == 0
    open_shop.road.sql(raised, -1, sku)
    open_shop.until(lambda: wrong() == 0, 60)
    assert open_shop.reserve(sku, 3).status_code == 201, "decisions go on"


def test_the_watch_goes_on_when_its_connection_was_cut(open_shop: Shop) -> None:
    checked = "hitotsu_invariant_checked_keys_total"
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s"
    open_shop.until(lambda: open_shop.road.sql(cut, "invariants") == [(True,)])
    before = metric(open_shop, checked)["stock_recomputed"]
    open_shop.until(lambda: metric(open_shop, checked)["stock_recomputed"] > before + 1, 60)


def test_what_is_past_its_keep_is_gone_soon_after_the_start(open_shop: Shop) -> None:
    process = open_shop.road.last("commands")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in (0, -signal.SIGTERM)
    key = "an answer of long ago"
    open_shop.road.sql(
        "insert into answer (client, key, body_hash, status, body, created_at)"
        " values ('ec', %s, '\\x00', 200, '{}', now() - interval '31 days'),"
        " ('ec', 'of late', '\\x00', 200, '{}', now() - interval '29 days')",
        key,
    )
    open_shop.again()
    open_shop.wait()
    held = "select 1 from answer where key = %s"
    open_shop.until(lambda: open_shop.road.sql(held, key) == [])
    assert open_shop.road.sql(held, "of late") == [(1,)]
