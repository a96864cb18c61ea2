"""Can it be asked how the stock stood, and why it stands as it does?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from projections.core.instants import instant
from schemas.generated.inputs import example, parse, to_event
from tests.schemas.sealers import OpenSealer
from tests.services.stock.shop import TOKENS, Shop, shop

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
NOON = 1_760_000_000_000_000
MINUTE = 60_000_000


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("history")) as own:
        own.until(lambda: own.client.get("/readyz").status_code == 200)
        yield own


@pytest.fixture(scope="module")
def url(open_shop: Shop) -> str:
    started = open_shop.road.api()

    def ready() -> bool:
        try:
            return httpx.get(f"{started}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    open_shop.until(ready)
    return started


def ask(url: str, path: str, status: int = 200, **params: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKENS['till']}"}
    got = httpx.get(f"{url}{path}", params=params, headers=headers, trust_env=False, timeout=20)
    assert got.status_code == status, got.text
    found: dict[str, Any] = got.json()
    return found


def tell(shop: Shop, name: str, minute: int, /, **changes: Any) -> str:
    """A fact that happened so many minutes after noon."""
    meta = to_event(parse(example(name)), OpenSealer()).meta
    meta = replace(meta, event_id=uuid4().bytes, occurred_at=NOON + minute * MINUTE)
    return shop.append(name, meta=meta, **changes)


def when(minute: int) -> str:
    return instant(NOON + minute * MINUTE).isoformat()


def day(shop: Shop) -> tuple[str, list[str]]:
    """Fifty come in, two go to a promise, forty are counted, and three were sold before that."""
    sku, here = f"item-{uuid4().hex[:8]}", {"location_id": "W1"}
    order: dict[str, Any] = {"order_id": uuid4().bytes, "line_no": 1, "quantity": 2}
    ids = [
        tell(shop, "StockReceived", 0, sku=sku, quantity=50, **here),
        tell(shop, "StockAllocated", 10, sku=sku, **here, **order),
        tell(shop, "StockCounted", 99, sku=sku, quantity=40, counted_at=NOON + 30 * MINUTE, **here),
        tell(shop, "StockShipped", 40, sku=sku, **here, **order),
        tell(shop, "StockAdjusted", 20, sku=sku, quantity=-3, reason="found broken", **here),
    ]
    shop.until(lambda: shop.cell(sku) == (38, 0))
    shop.until(lambda: len(shop.road.sql("select 1 from ledger where event_id = %s", ids[-1])) == 1)
    return sku, ids


def test_the_stock_of_any_time_is_answered_and_says_that_holds_are_not_known(
    open_shop: Shop, url: str
) -> None:
    sku, _ = day(open_shop)
    open_shop.reserve(sku, 5)
    seen = {}
    for minute in (0, 15, 25, 30, 39, 40):
        found = ask(url, f"/v1/stock/{sku}", as_of=when(minute))["data"]
        (cell,) = found["locations"]
        seen[minute] = (cell["on_hand"], cell["committed"], cell["available"])
        assert (found["reserved_known"], cell["reserved"]) == (False, 0)
        assert datetime.fromisoformat(found["as_of"]) == datetime.fromisoformat(when(minute))
    assert seen == {
        0: (50, 0, 50), 15: (50, 2, 48), 25: (47, 2, 45), 30: (40, 2, 38),
        39: (40, 2, 38), 40: (38, 0, 38),
    }  # fmt: skip
    now = ask(url, f"/v1/stock/{sku}")["data"]
    assert (now["reserved_known"], now["locations"][0]["reserved"], now["as_of"]) == (True, 5, None)
    nothing = ask(url, f"/v1/stock/{sku}", 404, as_of=when(-1))
    assert sku in nothing["detail"]


def test_policies_are_those_of_that_time_unless_another_is_named(open_shop: Shop, url: str) -> None:
    sku, _ = day(open_shop)
    for units, minute in ((1, 5), (9, 35)):
        tell(
            open_shop, "StockPolicySet", minute, location_id="W1", sku=sku, safety_stock=units,
            store_share=0, company_threshold=0, valid_from=NOON + minute * MINUTE,
        )  # fmt: skip

    def kept(**params: Any) -> int:
        (cell,) = ask(url, f"/v1/stock/{sku}", **params)["data"]["locations"]
        return int(cell["safety_stock"])

    open_shop.until(lambda: kept() == 9)
    assert [kept(as_of=when(minute)) for minute in (0, 20, 35)] == [0, 1, 9]
    assert kept(as_of=when(20), at=when(35)) == 9


def test_why_it_stands_as_it_does_is_told_movement_by_movement(open_shop: Shop, url: str) -> None:
    sku, (received, allocated, counted, shipped, adjusted) = day(open_shop)
    path = f"/v1/stock/{sku}/movements"
    answer = ask(url, path, location_id="W1")
    told = answer["data"]
    assert any(place.startswith("commerce.inventory-") for place in answer["position"])
    assert (told["on_hand"], told["moved_since_base"], told["committed"]) == (38, -2, 0)
    assert (told["base"]["event_id"], told["base"]["counted"]) == (counted, 40)
    names = (
        "event_id",
        "event",
        "counted",
        "on_hand_delta",
        "on_hand",
        "on_top",
        "committed_delta",
    )
    assert [tuple(one[name] for name in names) for one in told["movements"]] == [
        (shipped, "StockShipped", None, -2, 38, True, -2),
        (counted, "StockCounted", 40, -7, 40, False, 0),
        (adjusted, "StockAdjusted", None, -3, 47, False, 0),
        (allocated, "StockAllocated", None, 0, 50, False, 2),
        (received, "StockReceived", None, 50, 50, False, 0),
    ]
    for one in told["movements"]:
        ((topic, partition, offset),) = open_shop.road.sql(
            'select name, partition, "offset" from ledger join topic on no = topic'
            " where event_id = %s",
            one["event_id"],
        )
        assert one["place"] == f"{topic}-{partition}@{offset}"
    then = ask(url, path, location_id="W1", as_of=when(25))["data"]
    assert (then["on_hand"], then["base"], len(then["movements"])) == (47, None, 3)


def test_movements_come_in_pages_with_the_same_running_figures(open_shop: Shop, url: str) -> None:
    sku, _ = day(open_shop)
    path = f"/v1/stock/{sku}/movements"
    whole = ask(url, path, location_id="W1")["data"]["movements"]
    paged: list[Any] = []
    params: dict[str, Any] = {"location_id": "W1", "limit": 2}
    while True:
        page = ask(url, path, **params)
        paged += page["data"]["movements"]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert paged == whole
    assert ask(url, path, 404, location_id="nowhere")["title"] == "Not Found"
    assert ask(url, path, 422)["errors"][0]["pointer"] == "/query/location_id"
    wrong = ask(url, f"/v1/stock/{sku}", 422, as_of="yesterday")
    assert wrong["errors"][0]["pointer"] == "/query/as_of"


def test_the_document_knows_how_to_ask_for_the_past(url: str) -> None:
    paths = httpx.get(f"{url}/openapi.json", trust_env=False).json()["paths"]
    asked = {one["name"] for one in paths["/v1/stock/{sku}"]["get"]["parameters"]}
    assert {"sku", "at", "as_of"} <= asked
    asked = {one["name"] for one in paths["/v1/stock/{sku}/movements"]["get"]["parameters"]}
    assert {"sku", "location_id", "as_of", "limit", "cursor"} <= asked
