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


def test_preorders_take_nothing_off_what_is_on_hand(open_shop: Shop, url: str) -> None:
    """Until their delivery is late: then they are short, and nothing more is promised."""
    sku, due = f"item-{uuid4().hex[:8]}", instant(NOON).replace(year=instant(NOON).year + 90)
    by = round(due.timestamp() * 1_000_000)
    announced = {"sku": sku, "location_id": "W1", "quantity": 10, "document_id": f"PO {sku}"}
    line = to_event(parse(example("PurchaseCompleted")), OpenSealer()).lines[0]
    line = replace(line, sku=sku, quantity=3, fulfilment="SHIP", location_id=None, expected_at=by)
    tell(open_shop, "StockReceived", 0, sku=sku, location_id="W1", quantity=5)
    tell(open_shop, "InboundExpected", 10, expected_at=by, **announced)
    tell(
        open_shop, "PurchaseCompleted", 20, transaction_id=uuid4().bytes, location_id="W1",
        lines=[line],
    )  # fmt: skip

    def figures(**params: Any) -> dict[str, int]:
        (cell,) = ask(url, f"/v1/stock/{sku}", **params)["data"]["locations"]
        names = ("on_hand", "committed", "preordered", "incoming", "available", "short")
        return {name: cell[name] for name in names}

    open_shop.until(lambda: open_shop.cell(sku) == (5, 3))
    waiting = {"on_hand": 5, "committed": 3, "preordered": 3, "incoming": 10}
    assert figures() == {**waiting, "available": 5, "short": 0}
    (expected,) = ask(url, f"/v1/stock/{sku}")["data"]["expected"]
    assert datetime.fromisoformat(expected.pop("expected_at")) == due
    assert expected == {"location_id": "W1", "incoming": 10, "preordered": 3, "promisable": 7}
    assert open_shop.reserve(sku, 6).status_code == 409
    assert open_shop.reserve(sku, 5).status_code == 201
    assert figures() == {**waiting, "available": 0, "short": 0}
    assert open_shop.short(url, sku) is None
    late = by + 3 * 24 * 60 * MINUTE
    tell(open_shop, "InboundExpected", 30, expected_at=late, **announced)
    open_shop.until(lambda: figures()["short"] == 3)
    assert figures() == {**waiting, "preordered": 0, "available": -3, "short": 3}
    short = open_shop.short(url, sku)
    assert short is not None
    assert (short["short"], short["committed"], short["reserved"]) == (3, 3, 5)
    assert figures(as_of=when(25)) == {**waiting, "available": 5, "short": 0}
    assert figures(as_of=when(15))["committed"] == 0
    tell(open_shop, "StockReceived", 40, sku=sku, location_id="W1", quantity=10,
         reference=f"PO {sku}")  # fmt: skip
    open_shop.until(lambda: open_shop.cell(sku) == (15, 3))
    now = figures()
    assert now == {**waiting, "on_hand": 15, "preordered": 0, "incoming": 0, "available": 7,
                   "short": 0}  # fmt: skip


def test_zones_are_told_with_what_is_in_them(open_shop: Shop, url: str) -> None:
    sku, store = f"item-{uuid4().hex[:8]}", f"S-{uuid4().hex[:8].upper()}"
    here = {"sku": sku, "location_id": store}
    assert sku in ask(url, f"/v1/stock/{sku}/zones", 404)["detail"]
    for minute, zone, units in ((10, None, 11), (20, "BACK", 7)):
        at = NOON + minute * MINUTE
        tell(open_shop, "StockCounted", 99, zone=zone, quantity=units, counted_at=at, **here)
    tell(open_shop, "StockAdjusted", 30, quantity=-2, reason="sold", **here)
    open_shop.until(lambda: open_shop.cell(sku) == (9, 0))
    (found,) = ask(url, f"/v1/stock/{sku}/zones")["data"]["locations"]
    assert (found["on_hand"], found["elsewhere"], found["selling_zone"]) == (9, 2, None)
    (back,) = found["zones"]
    assert (back["zone"], back["on_hand"], back["counted"], back["sells"]) == ("BACK", 7, 7, False)
    tell(open_shop, "LocationDescribed", 0, location_id=store, selling_zone="SHELF",
         valid_from=NOON)  # fmt: skip
    tell(open_shop, "StockCounted", 99, zone="SHELF", quantity=3, counted_at=NOON + 25 * MINUTE,
         **here)  # fmt: skip
    open_shop.until(lambda: open_shop.cell(sku) == (8, 0))
    (found,) = ask(url, f"/v1/stock/{sku}/zones", location_id=store)["data"]["locations"]
    assert (found["on_hand"], found["elsewhere"], found["selling_zone"]) == (8, 0, "SHELF")
    assert {one["zone"]: one["on_hand"] for one in found["zones"]} == {"BACK": 7, "SHELF": 1}
    before = ask(url, f"/v1/stock/{sku}/zones", as_of=when(22))["data"]["locations"]
    assert [(one["on_hand"], one["elsewhere"]) for one in before] == [(11, 4)]
    assert ask(url, f"/v1/stock/{sku}/zones", as_of=when(15))["data"]["locations"] == []
    told = ask(url, f"/v1/stock/{sku}/movements", location_id=store)["data"]
    assert [(one["zone"], one["counted"], one["on_hand"]) for one in told["movements"]] == [
        (None, None, 8), ("SHELF", 3, 10), ("BACK", 7, 11), (None, 11, 11),
    ]  # fmt: skip
    assert told["base"]["counted"] + told["moved_since_base"] == told["on_hand"]
