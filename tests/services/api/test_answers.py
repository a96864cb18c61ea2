"""What the API answers: the same from Redis and from Postgres, and how far it has read."""

from __future__ import annotations

import pytest

from tests.services.api.conftest import Running
from tests.services.api.shop import ACCOUNT, ALONE, CARD, CLEAR_EMAIL, INQUIRY, SALE, named, same

pytestmark = pytest.mark.servers
NO_CACHE = {"Cache-Control": "no-cache"}


def test_stock_of_an_item_is_answered_from_redis_and_from_postgres_alike(api: Running) -> None:
    hot = api.until("/v1/stock/tv", "redis")
    cold = api.answer("/v1/stock/tv", headers=NO_CACHE)
    assert cold["served_from"] == "postgres"
    assert same(hot, cold)
    assert hot["data"]["online_atp"] == 2
    assert [each["location_id"] for each in hot["data"]["locations"]] == ["S1", "S2"]
    assert hot["data"]["locations"][0]["receiving_gap"] == 1
    assert hot["position"] == {
        "commerce.catalog-0": 5, "commerce.inventory-0": 40, "commerce.purchases-0": 30
    }  # fmt: skip
    assert set(hot["lag"]) >= {"events"}


def test_an_item_with_a_bar_in_its_name_is_found_in_redis(api: Running) -> None:
    found = api.until("/v1/stock/茶|1", "redis")
    assert found["data"]["online_atp"] == 7


def test_an_item_never_seen_is_no_error_of_ours(api: Running) -> None:
    got = api.ask("/v1/stock/nothing")
    assert got.status_code == 404
    assert got.headers["content-type"] == "application/problem+json"
    assert "nothing" in got.json()["detail"]


def test_a_member_is_everything_the_token_may_see_in_one_answer(api: Running) -> None:
    found = api.answer(f"/v1/members/{ACCOUNT}")["data"]
    assert found["member_id"] == str(CARD)
    assert found["redirected_from"] == str(ACCOUNT)
    assert found["profile_ids"] == [str(CARD), str(ACCOUNT)]
    assert found["balance"]["balance"] == 345
    assert [each["sku"] for each in found["suppressions"]] == ["tv"]
    assert found["purchases"][0]["transaction_id"] == str(SALE)
    assert found["inquiries"][0]["inquiry_id"] == str(INQUIRY)


def test_a_part_outside_the_token_s_scopes_is_absent(api: Running) -> None:
    found = api.answer(f"/v1/members/{CARD}", who="app")["data"]
    assert "inquiries" not in found
    assert {"profiles", "balance", "suppressions", "purchases"} < set(found)
    assert found["redirected_from"] is None


def test_a_member_of_whom_nothing_is_known_is_not_found(api: Running) -> None:
    assert api.ask(f"/v1/members/{named('nobody')}").status_code == 404
    assert api.answer(f"/v1/members/{ALONE}")["data"]["profile_ids"] == [str(ALONE)]


def test_every_hot_read_is_the_same_from_both_stores(api: Running) -> None:
    for path in (f"/v1/members/{CARD}/points", f"/v1/members/{ACCOUNT}/purchases", "/v1/stock/tea"):
        hot = api.until(path, "redis")
        assert same(hot, api.answer(path, headers=NO_CACHE)), path


def test_a_customer_is_found_by_an_e_mail_address_in_the_body(api: Running) -> None:
    body = {
        "identifiers": [
            {"kind": "phone", "value": "03-1234-5678"},
            {"kind": "email", "value": CLEAR_EMAIL.upper()},
        ]
    }
    found = api.answer("/v1/members/resolve", method="POST", json=body)["data"]
    (one,) = found
    assert one == {
        "member_id": str(CARD), "profile_ids": [str(CARD), str(ACCOUNT)], "matched": [1],
        "redirected_from": [],
    }  # fmt: skip


def test_candidates_that_were_bought_are_dropped_with_the_reason(api: Running) -> None:
    body = {"member_id": str(ACCOUNT), "candidates": ["tv", "rug", "tea"]}
    found = api.answer("/v1/recommendations/filter", method="POST", json=body)["data"]
    assert found["kept"] == ["rug", "tea"]
    assert found["dropped"][0]["sku"] == "tv"
    assert found["dropped"][0]["until"] is None


def test_missing_receipts_are_joined_over_partitions_and_blocks(api: Running) -> None:
    (found,) = api.answer("/v1/terminals/gaps")["data"]
    assert (found["lowest"], found["highest"], found["missing"]) == (991, 1000, 2)
    assert found["gaps"] == [{"first": 994, "last": 995}]


def test_a_list_comes_page_by_page_and_the_pages_are_the_whole(api: Running) -> None:
    whole = [(each["sku"], each["location_id"]) for each in api.answer("/v1/stock")["data"]]
    paged, path = [], "/v1/stock?limit=1"
    while path:
        got = api.ask(path)
        paged += [(each["sku"], each["location_id"]) for each in got.json()["data"]]
        path = got.links["next"]["url"] if "next" in got.links else ""
        assert (got.json()["next_cursor"] is None) == (path == "")
    assert paged == whole == sorted(whole)
    assert len(whole) == 4


def test_inquiries_are_listed_and_counted_by_what_they_are_about(api: Running) -> None:
    listed = api.answer("/v1/inquiries?topic=delivery&sku=tv")["data"]
    assert [each["inquiry_id"] for each in listed] == [str(INQUIRY)]
    assert api.answer("/v1/inquiries?topic=refund")["data"] == []
    assert api.answer("/v1/inquiries/counts?by=topic")["data"] == [
        {"value": "delivery", "inquiries": 1}
    ]


def test_a_code_has_the_name_that_holds_at_the_time(api: Running) -> None:
    item = api.answer("/v1/items/tv", who="app")["data"]
    assert (item["sku"], item["name"], item["category"]) == ("tv", "tv", "home")
    assert (item["valid_from"], item["until"]) == ("1970-01-01T00:00:00Z", None)
    now = api.answer("/v1/locations/S1", who="app")["data"]
    assert (now["name"], now["kind"], now["until"]) == ("Ginza", "STORE", "2100-01-01T00:00:00Z")
    assert (now["latitude"], now["longitude"]) == (35.6695, None)
    then = api.answer("/v1/locations/S1?at=2100-01-01T00:00:00Z", who="app")["data"]
    assert (then["name"], then["until"]) == ("Ginza Six", None)
    for unknown in ("items/car", "locations/S9", "locations/S1?at=1969-12-31T23:59:59Z"):
        assert api.ask(f"/v1/{unknown}", who="app").status_code == 404


def test_an_event_says_where_it_is_and_what_became_of_it(api: Running) -> None:
    applied = api.answer(f"/v1/events/{named('applied')}")["data"]
    assert (applied["status"], applied["topic"], applied["offset"]) == (
        "applied",
        "commerce.points",
        119,
    )
    again = api.answer(f"/v1/events/{named('told again')}")["data"]
    assert again == {
        **applied, "event_id": str(named("told again")), "duplicate_of": str(named("applied"))
    }  # fmt: skip
    assert applied["duplicate_of"] is None
    aside = api.answer(f"/v1/events/{named('decode')}")["data"]
    assert (aside["status"], aside["reason"], aside["offset"]) == (
        "dead_letter",
        "trailing bytes",
        90,
    )
    assert api.answer(f"/v1/events/{named('conflict')}")["data"]["status"] == "conflict"
    assert api.ask(f"/v1/events/{named('never sent')}").status_code == 404


def test_a_sale_is_shown_with_what_became_of_it(api: Running) -> None:
    found = api.answer(f"/v1/purchases/{SALE}", who="app")["data"]
    assert (found["transaction_id"], found["profile_id"]) == (str(SALE), str(CARD))
    assert (found["location_name"], found["claimed"], found["total"]) == ("Ginza", False, 900)
    tv, tea = found["lines"]
    assert (tv["name"], tv["quantity"], tv["paid"], tv["returned"]) == ("tv", 1, 450, 0)
    assert (tea["line_no"], tea["location_name"], tea["returned"]) == (2, "Ginza", 2)
    (back,) = found["corrections"]
    assert (back["kind"], back["event_id"]) == ("return", str(named("brought back")))
    assert back["at"] == "2023-11-14T22:13:20.000005Z"
    # what another profile's lots paid counts as well
    assert found["points"] == {"earned": 300, "spent": 30, "taken_back": 0, "given_back": 10}
    listed = [(one["kind"], one["sku"], one["settled"]) for one in found["discrepancies"]]
    assert sorted(listed) == [("over_return", "jam", True), ("over_return", "tea", False)]
    every = api.answer("/v1/discrepancies?kind=over_return", who="app")["data"]
    assert every[0]["id"] in {one["id"] for one in found["discrepancies"]}


def test_a_sale_that_nobody_told_is_not_found(api: Running) -> None:
    assert api.ask(f"/v1/purchases/{ALONE}", who="app").status_code == 404
    assert api.ask("/v1/purchases/4711", who="app").status_code == 422


@pytest.mark.parametrize(
    ("sought", "many"),
    [
        ({"receipt_number": "000017"}, 1),
        ({"receipt_number": "000018"}, 0),
        ({"location_id": "S1", "day": "2023-11-14"}, 1),
        ({"location_id": "S1", "day": "2023-11-15"}, 0),
        ({"location_id": "S2", "day": "2023-11-14"}, 0),
        ({"location_id": "S1", "day": "2023-11-14", "receipt_number": "000017"}, 1),
        ({"order_id": str(SALE)}, 1),
        ({"order_id": str(ALONE)}, 0),
    ],
)
def test_a_sale_is_found_by_what_the_customer_has(
    api: Running, sought: dict[str, str], many: int
) -> None:
    got = api.ask("/v1/purchases/search", who="app", method="POST", json=sought)
    assert got.status_code == 200, got.text
    found = got.json()["data"]
    assert [one["transaction_id"] for one in found] == [str(SALE)] * many
    for one in found:
        assert (one["receipt_number"], one["business_date"]) == ("000017", "2023-11-14")


@pytest.mark.parametrize("sought", [{}, {"location_id": "S1"}, {"day": "2023-11-14"}])
def test_a_search_for_too_little_is_refused(api: Running, sought: dict[str, str]) -> None:
    got = api.ask("/v1/purchases/search", who="app", method="POST", json=sought)
    assert got.status_code == 422
