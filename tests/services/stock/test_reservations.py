"""Is a unit promised once, for as long as was said, and does the promise become a fact once?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.services.deciding.asking import problem
from tests.services.stock.shop import Shop, shop

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]
HELD_SECONDS = 3  # what a busy machine needs for two requests, and more


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("stock")) as own:
        yield own


def test_from_a_hold_to_a_promise_in_the_stock_shown(open_shop: Shop) -> None:
    sku = open_shop.stocked(10)
    made = open_shop.reserve(sku, 4)
    assert made.status_code == 201, made.text
    held = made.json()
    assert held["lines"] == [
        {"sku": sku, "location_id": "W1", "quantity": 4, "granted": 4, "available": 10}
    ]
    assert any(place.startswith("commerce.inventory-") for place in held["position"])
    name = held["reservation_id"]
    assert open_shop.state(name) == "open"
    short = problem(open_shop.reserve(sku, 7), 409, "out-of-stock")
    assert short["lines"][0]["available"] == 6
    order = str(uuid4())
    committed = open_shop.post(f"/{name}/commit", {"order_id": order})
    assert committed.status_code == 200, committed.text
    assert len(committed.json()["event_ids"]) == 1
    open_shop.until(lambda: open_shop.cell(sku) == (10, 4))
    open_shop.until(lambda: open_shop.state(name) == "applied")
    assert problem(open_shop.reserve(sku, 7), 409, "out-of-stock")["lines"][0]["available"] == 6
    assert open_shop.reserve(sku, 6).status_code == 201


def test_readers_see_what_is_reserved_and_no_longer_than_it_is(open_shop: Shop) -> None:
    sku = open_shop.stocked(10)
    url = open_shop.reads
    open_shop.until(lambda: open_shop.shown(url, sku) == (10, 0, 0, 10))
    open_shop.reserve(sku, 3, ttl_seconds=HELD_SECONDS)
    kept = open_shop.reserve(sku, 4).json()["reservation_id"]
    assert open_shop.shown(url, sku) == (10, 0, 7, 3)
    open_shop.post(f"/{kept}/commit", {"order_id": str(uuid4())})
    open_shop.until(lambda: open_shop.shown(url, sku) == (10, 4, 0, 6))


def test_a_till_sale_that_undercuts_a_promise_is_a_shortage_with_its_cause(
    open_shop: Shop,
) -> None:
    sku = open_shop.stocked(3)
    url = open_shop.reads
    open_shop.until(lambda: open_shop.shown(url, sku) == (3, 0, 0, 3))
    open_shop.reserve(sku, 3, ttl_seconds=60)
    assert open_shop.short(url, sku) is None
    sales = [open_shop.sell(sku) for _ in range(2)]
    open_shop.until(lambda: open_shop.cell(sku) == (1, 0))
    found = open_shop.short(url, sku)
    assert found is not None
    assert (found["on_hand"], found["reserved"], found["short"]) == (1, 3, 2)
    assert {cause["event_id"] for cause in found["causes"]} == set(sales)
    assert [cause["units"] for cause in found["causes"]] == [1, 1]
    open_shop.append("StockReceived", sku=sku, location_id="W1", quantity=2)
    open_shop.until(lambda: open_shop.short(url, sku) is None)


def test_one_key_is_one_decision_and_one_answer_also_for_a_no(open_shop: Shop) -> None:
    sku = open_shop.stocked(5)
    first, again = (open_shop.reserve(sku, 5, key=f"{sku}-a") for _ in range(2))
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert first.status_code == 201
    no = open_shop.reserve(sku, 1, key=f"{sku}-b")
    assert no.status_code == 409
    open_shop.post(f"/{first.json()['reservation_id']}/release", {})
    assert open_shop.reserve(sku, 1, key=f"{sku}-b").text == no.text, "a retry made it a yes"
    other = open_shop.reserve(sku, 2, key=f"{sku}-b")
    assert problem(other, 422, "key-reused")["title"] == "Key used for another command"
    assert open_shop.reserve(sku, 1).status_code == 201


def test_a_hold_ends_by_its_time_and_each_is_resolved_once(open_shop: Shop) -> None:
    sku = open_shop.stocked(3)
    short = open_shop.reserve(sku, 3, ttl_seconds=HELD_SECONDS).json()["reservation_id"]
    assert open_shop.reserve(sku).status_code == 409
    time.sleep(HELD_SECONDS + 0.05)
    longer = open_shop.reserve(sku, 3, ttl_seconds=HELD_SECONDS)
    assert longer.status_code == 201
    problem(open_shop.post(f"/{short}/commit", {"order_id": str(uuid4())}), 409, "resolved")
    name = longer.json()["reservation_id"]
    assert open_shop.post(f"/{name}/extend", {"ttl_seconds": 60}).status_code == 200
    time.sleep(HELD_SECONDS + 0.05)
    assert open_shop.reserve(sku).status_code == 409, "it was extended"
    assert open_shop.post(f"/{name}/release", {}).status_code == 200
    problem(open_shop.post(f"/{name}/commit", {"order_id": str(uuid4())}), 409, "resolved")
    assert open_shop.state(name) == "released"
    unheard = open_shop.post(f"/{uuid4()}/release", {})
    problem(unheard, 404, "reservation-not-found")


def test_several_lines_are_held_all_or_none_or_as_far_as_they_go(open_shop: Shop) -> None:
    one, other = open_shop.stocked(2), open_shop.stocked(1, "S1")
    lines = [
        {"sku": one, "location_id": "W1", "quantity": 2},
        {"sku": other, "location_id": "S1", "quantity": 3},
    ]
    body = {"channel": "EC", "lines": lines}
    no = problem(open_shop.post("", body), 409, "out-of-stock")
    assert [line["available"] for line in no["lines"]] == [2, 1]
    dry = open_shop.post("", {**body, "mode": "best_effort", "dry_run": True})
    assert dry.status_code == 200
    assert "reservation_id" not in dry.json()
    some = open_shop.post("", {**body, "mode": "best_effort"})
    assert some.status_code == 201
    assert [line["granted"] for line in some.json()["lines"]] == [2, 1]
    assert not some.json()["complete"]
    assert open_shop.reserve(one).status_code == 409


def test_an_order_without_a_location_is_held_online_and_placed_when_committed(
    open_shop: Shop,
) -> None:
    sku = open_shop.stocked(5)
    anywhere = {"channel": "EC", "lines": [{"sku": sku, "quantity": 3}]}
    name = open_shop.post("", anywhere).json()["reservation_id"]
    assert problem(open_shop.reserve(sku, 3), 409, "out-of-stock")["lines"][0]["available"] == 2
    order = {"order_id": str(uuid4())}
    problem(open_shop.post(f"/{name}/commit", order), 409, "unplaced")
    nowhere = open_shop.post(f"/{name}/commit", {**order, "location_id": "S5"})
    problem(nowhere, 409, "out-of-stock")
    served = open_shop.post(f"/{name}/commit", {**order, "location_id": "W1"})
    assert served.status_code == 200, served.text
    open_shop.until(lambda: open_shop.cell(sku) == (5, 3))
    open_shop.until(lambda: open_shop.state(name) == "applied")
    assert open_shop.reserve(sku, 2).status_code == 201


def at_the_till(sku: str, quantity: int, location_id: str = "W1") -> dict[str, Any]:
    lines = [{"sku": sku, "location_id": location_id, "quantity": quantity}]
    return {"channel": "STORE", "lines": lines}


def test_a_store_is_not_granted_what_is_promised_to_orders_without_a_location(
    open_shop: Shop,
) -> None:
    sku = open_shop.stocked(10)
    anywhere = {"channel": "EC", "lines": [{"sku": sku, "quantity": 10}]}
    name = open_shop.post("", anywhere).json()["reservation_id"]
    no = problem(open_shop.post("", at_the_till(sku, 10), who="till"), 409, "out-of-stock")
    assert no["lines"][0]["reason"] == "promised-online"
    assert no["lines"][0]["available"] == 0
    assert "held for orders that have no location yet" in no["detail"]
    some = {**at_the_till(sku, 1), "mode": "best_effort"}
    problem(open_shop.post("", some, who="till"), 409, "out-of-stock")
    served = open_shop.post(f"/{name}/commit", {"order_id": str(uuid4()), "location_id": "W1"})
    assert served.status_code == 200, served.text
    open_shop.until(lambda: open_shop.cell(sku) == (10, 10))


def test_a_store_promises_its_share_and_what_orders_without_a_location_leave(
    open_shop: Shop,
) -> None:
    """9 at each of two stores, 1 for safety and 2 for walk-ins: 12 may go online, 16 in all."""
    sku = open_shop.stocked(9, "S21")
    open_shop.append("StockReceived", sku=sku, location_id="S22", quantity=9)
    for place in ("S21", "S22"):
        open_shop.append(
            "StockPolicySet", location_id=place, sku=sku, safety_stock=1, store_share=2,
            company_threshold=0, valid_from=0,
        )  # fmt: skip

    def anywhere(units: int, **more: Any) -> Any:
        lines = [{"sku": sku, "quantity": units}]
        return open_shop.post("", {"channel": "EC", "lines": lines, **more})

    open_shop.until(lambda: anywhere(12, dry_run=True).status_code == 200)
    open_shop.until(lambda: anywhere(13, dry_run=True).status_code == 409)
    orders = [anywhere(units).json()["reservation_id"] for units in (8, 2)]
    no = problem(open_shop.post("", at_the_till(sku, 7, "S21"), who="till"), 409, "out-of-stock")
    assert (no["lines"][0]["available"], no["lines"][0]["reason"]) == (6, "promised-online")
    assert open_shop.post("", at_the_till(sku, 6, "S21"), who="till").status_code == 201
    assert open_shop.post("", at_the_till(sku, 1, "S22"), who="till").status_code == 409
    assert open_shop.reserve(sku, 1, location_id="S22").status_code == 409
    assert anywhere(1).status_code == 409
    for name, place in zip(orders, ("S22", "S21"), strict=True):
        order = {"order_id": str(uuid4()), "location_id": place}
        assert open_shop.post(f"/{name}/commit", order).status_code == 200


def test_a_sale_that_undercuts_an_order_without_a_location_is_a_shortage(
    open_shop: Shop,
) -> None:
    sku = open_shop.stocked(5)
    url = open_shop.reads
    open_shop.until(lambda: open_shop.shown(url, sku) == (5, 0, 0, 5))
    anywhere = {"channel": "EC", "lines": [{"sku": sku, "quantity": 4}]}
    name = open_shop.post("", anywhere).json()["reservation_id"]
    assert open_shop.short(url, sku) is None
    sales = [open_shop.sell(sku) for _ in range(3)]
    open_shop.until(lambda: open_shop.cell(sku) == (2, 0))
    found = open_shop.short(url, sku)
    assert found is not None
    assert (found["location_id"], found["on_hand"], found["reserved"]) == ("", 2, 4)
    assert found["short"] == sum(cause["units"] for cause in found["causes"]) == 2
    assert {cause["event_id"] for cause in found["causes"]} < set(sales)
    open_shop.until(lambda: open_shop.item(url, sku)["locations"][0]["on_hand"] == 2)
    told = open_shop.item(url, sku)
    assert (told["unplaced"], told["short"], told["online_atp"]) == (4, 2, 0)
    assert told["locations"][0]["store_atp"] == 0
    # nobody is granted what is short already, and the order is short wherever it is placed
    assert open_shop.post("", at_the_till(sku, 1), who="till").status_code == 409
    order = {"order_id": str(uuid4()), "location_id": "W1"}
    problem(open_shop.post(f"/{name}/commit", order), 409, "out-of-stock")
    open_shop.append("StockReceived", sku=sku, location_id="W1", quantity=2)
    open_shop.until(lambda: open_shop.short(url, sku) is None)
    assert open_shop.post(f"/{name}/commit", order).status_code == 200


def test_an_undercut_order_may_take_what_is_kept_back(open_shop: Shop) -> None:
    """5 on hand, 1 for safety and 1 the store's: 3 promised, then 2 sold. 3 are there."""
    sku = open_shop.stocked(5, "W1")
    open_shop.append(
        "StockPolicySet", location_id="W1", sku=sku, safety_stock=1, store_share=1,
        company_threshold=0, valid_from=0,
    )  # fmt: skip
    anywhere = {"channel": "EC", "lines": [{"sku": sku, "quantity": 4}]}
    open_shop.until(
        lambda: open_shop.post("", {**anywhere, "dry_run": True}).status_code == 409
    )  # fmt: skip
    three = {"channel": "EC", "lines": [{"sku": sku, "quantity": 3}]}
    name = open_shop.post("", three).json()["reservation_id"]
    for _ in range(2):
        open_shop.sell(sku)
    open_shop.until(lambda: open_shop.cell(sku) == (3, 0))
    assert open_shop.short(open_shop.reads, sku) is None
    order = {"order_id": str(uuid4()), "location_id": "W1"}
    assert open_shop.post(f"/{name}/commit", order).status_code == 200


def test_a_location_that_has_everything_is_picked_until_it_no_longer_has(open_shop: Shop) -> None:
    sku, place = open_shop.stocked(2, "S7"), {"latitude": 35.0, "longitude": 139.0}
    open_shop.append(
        "LocationDescribed", location_id="S7", name="七号店", latitude=35.0, longitude=139.0,
        valid_from=0,
    )  # fmt: skip
    asked = {"channel": "EC", "lines": [{"sku": sku, "quantity": 2}], "near": place}

    def found() -> list[dict[str, Any]]:
        headers = {"Authorization": "Bearer ec-token-of-a-test"}
        answer = open_shop.client.post("/v1/stock/pick", json=asked, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["position"]
        located: list[dict[str, Any]] = answer.json()["locations"]
        return located

    open_shop.until(lambda: [one["kilometres"] for one in found()] == [0.0])
    assert open_shop.reserve(sku, 1, location_id="S7").status_code == 201
    assert found() == []


def test_two_hundred_want_the_last_unit_and_one_gets_it(open_shop: Shop) -> None:
    sku = open_shop.stocked(1)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: open_shop.reserve(sku).status_code, range(200)))
    assert sorted(answers) == [201] + [409] * 199


def test_a_store_keeps_its_share_and_a_token_its_channel(open_shop: Shop) -> None:
    sku = open_shop.stocked(5, "S9")
    open_shop.append(
        "StockPolicySet", location_id="S9", sku=sku, safety_stock=1, store_share=2,
        company_threshold=0, valid_from=0,
    )  # fmt: skip
    open_shop.until(
        lambda: open_shop.reserve(sku, 3, location_id="S9", dry_run=True).status_code == 409
    )
    assert open_shop.reserve(sku, 2, location_id="S9", dry_run=True).status_code == 200
    lines = [{"sku": sku, "location_id": "S9", "quantity": 4}]
    till = open_shop.post("", {"channel": "STORE", "lines": lines, "dry_run": True}, who="till")
    assert till.status_code == 200
    outside = open_shop.post("", {"channel": "EC", "lines": lines}, who="till")
    problem(outside, 403, "forbidden")


BAD = [
    ({"channel": "EC", "lines": []}, "/lines"),
    (
        {"channel": "EC", "lines": [{"sku": "a", "location_id": "b", "quantity": 0}]},
        "/lines/0/quantity",
    ),
    ({"channel": "ZZ", "lines": [{"sku": "a", "location_id": "b", "quantity": 1}]}, "/channel"),
    ({"channel": "EC", "lines": [{"sku": "a", "location_id": "b", "quantity": 1}] * 2}, "/lines"),
    (
        {"channel": "EC", "more": 1, "lines": [{"sku": "a", "location_id": "b", "quantity": 1}]},
        "/more",
    ),
]


@pytest.mark.parametrize(("body", "pointer"), BAD)
def test_what_is_no_command_is_said_by_field(
    open_shop: Shop, body: dict[str, Any], pointer: str
) -> None:
    found = problem(open_shop.post("", body), 422, "unprocessable-entity")
    assert pointer in [error["pointer"] for error in found["errors"]]


def test_without_a_key_or_with_a_broken_body_nothing_is_decided(open_shop: Shop) -> None:
    headers = {"Authorization": "Bearer ec-token-of-a-test", "Content-Type": "application/json"}
    url = "/v1/stock/reservations"
    keyless = open_shop.client.post(url, json=BAD[0][0], headers=headers)
    assert keyless.status_code == 422
    fine = {"channel": "EC", "lines": [{"sku": "a", "location_id": "b", "quantity": 1}]}
    problem(open_shop.client.post(url, json=fine, headers=headers), 400, "bad-request")
    broken = open_shop.client.post(url, content=b"{", headers={**headers, "Idempotency-Key": "k"})
    problem(broken, 400, "bad-request")
    assert open_shop.client.post(url, json=fine).status_code == 401


def test_the_outbox_holds_what_the_log_got_once(open_shop: Shop) -> None:
    rows = open_shop.road.sql("select count(*), count(sent_at) from outbox")
    assert rows[0][0] == rows[0][1] > 0
    described = open_shop.client.get("/openapi.json").json()
    assert "/v1/stock/reservations/{id}/commit" in json.dumps(described)
