"""May a token append only what its role is for, and only at its own stores?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from projections import discover
from projections.core.fold import Group
from schemas.generated.inputs import INPUTS
from schemas.rights import INTERNAL, RIGHTS, ROLES, Role
from schemas.topics import TOPIC_OF
from services.projector import database
from services.runtime.tokens import register
from services.state.migrate import migrations
from tests.services.gateway.running import PRODUCER, TOKENS, Gateway, event, until

# written down apart from the table that the gateway uses
TILL = {
    "PurchaseCompleted", "PurchaseReturned", "PurchaseVoided", "PurchaseAttributed",
    "PointsRedeemed", "PointsEarned", "PointsReversed",
    "StockReceived", "StockCounted", "StockAdjusted",
    "ProfileRegistered", "ProfileUpdated", "IdentifierObserved",
    "InquiryOpened", "InquiryMessageAdded", "InquiryClassified", "InquiryAnswered",
    "InquiryClosed", "InquiryAssigned", "InquiryWaiting", "InquiryReopened", "InquiryMerged",
    "InquiryAttributed", "ContactMade",
    "OrderLineCancelled", "PurchaseAmended", "PriceAdjusted", "OrderLineHandedOver",
    "ProgramJoined", "ProgramLeft", "TerminalDayClosed", "ReceiptNumberUsed",
}  # fmt: skip
EC = TILL - {"TerminalDayClosed", "ReceiptNumberUsed"} | {
    "StockAllocated", "AllocationReleased", "StockShipped", "ConsentGiven", "ConsentWithdrawn",
    "CouponIssued", "CouponUsed", "InboundExpected",
}  # fmt: skip
WAREHOUSE = {
    "StockReceived", "StockShipped", "TransferShipped", "TransferReceived", "StockCounted",
    "InboundExpected",
}  # fmt: skip
CATALOGUE = {"ItemDescribed", "LocationDescribed", "StockPolicySet", "NeedPolicySet"}
MAY: dict[Role, set[str]] = {
    "till": TILL, "ec": EC, "warehouse": WAREHOUSE, "catalogue": CATALOGUE,
    "operations": set(INPUTS) - {"SubjectErased"},
}  # fmt: skip
NARROW = ("events:write", "channel:STORE", "system:pos", "store:S001")
NEAR = {"system": "pos", "channel": "STORE", "store_id": "S001"}


@pytest.fixture(scope="module")
def shop(servers: Any, gateway: Gateway) -> Gateway:
    """The gateway with a token of each role, one of them limited to a store."""
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        for role in ROLES:
            TOKENS[f"as-{role}"] = f"hitotsu_test_of_roles_{role}"
            register(connection, f"as-{role}", PRODUCER, TOKENS[f"as-{role}"], role)
        for role in ("till", "warehouse", "operations"):
            name = f"{role}-s001"
            TOKENS[name] = f"hitotsu_test_of_a_narrow_{role}"
            register(connection, name, NARROW, TOKENS[name], role)
    for name in (*(f"as-{role}" for role in ROLES), "till-s001", "operations-s001"):
        until(lambda name=name: gateway.post([], token=name).status_code == 400)  # type: ignore[misc]
    return gateway


def told(name: str, /, **changes: Any) -> dict[str, Any]:
    """An event as the till of store S001 tells it."""
    made = event(name, **changes)
    made["meta"]["producer"] |= NEAR
    return made


def test_every_event_says_who_may_append_it() -> None:
    assert set(RIGHTS) == set(TOPIC_OF)
    assert {"SubjectErased", "DeadLettered"} == INTERNAL
    assert set(MAY) == set(ROLES)


def test_every_location_of_a_contract_is_checked() -> None:
    other_end = {"TransferShipped.to_location_id", "TransferReceived.from_location_id"}
    for name, model in INPUTS.items():
        fields = set(model.model_fields)
        if "lines" in fields and "returned" not in name.lower():
            fields |= {"lines.location_id", "lines.components.location_id"}
        places = {field for field in fields if "location_id" in field}
        missing = {f"{name}.{place}" for place in places - set(RIGHTS[name].own)}
        assert missing <= other_end or name in INTERNAL, missing


@pytest.mark.servers
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_append_its_list_and_nothing_else(shop: Gateway, role: Role) -> None:
    names = sorted(INPUTS)
    assert len(names) == 60
    answer = shop.post([event(name) for name in names], token=f"as-{role}")
    results = dict(zip(names, answer.json()["results"], strict=True))
    accepted = {name for name, result in results.items() if result["status"] == "accepted"}
    assert accepted == MAY[role]
    for name in set(names) - accepted:
        assert results[name]["field"] == "type"
        assert "append" in results[name]["reason"]


FORGED: list[tuple[str, dict[str, Any], str]] = [
    ("PointsAdjusted", {"points": 1_000_000_000}, "type"),
    ("PointsAdjusted", {"points": -1_000_000_000}, "type"),
    ("PointsTransferred", {}, "type"),
    ("PointsExpired", {}, "type"),
    ("ProgramRulesSet", {"rules": '{"offline_floor": {"per_redemption": 999999999}}'}, "type"),
    ("ProgramRulesSet", {"rules": "no JSON"}, "type"),
    ("StockCounted", {"location_id": "S002", "quantity": 0}, "location_id"),
    ("StockCounted", {"location_id": "S777", "quantity": 999_999}, "location_id"),
    ("StockReceived", {"location_id": "S002"}, "location_id"),
    ("StockAdjusted", {"location_id": "S002"}, "location_id"),
    ("PurchaseCompleted", {"location_id": "S002"}, "location_id"),
    ("PurchaseVoided", {"location_id": "S002"}, "location_id"),
    ("PurchaseReturned", {"location_id": "S002"}, "location_id"),
    ("OrderLineCancelled", {"location_id": "S002"}, "location_id"),
    ("OrderLineHandedOver", {"location_id": "S002"}, "location_id"),
    ("PurchaseAmended", {"location_id": "S002"}, "location_id"),
    ("PriceAdjusted", {"location_id": "S002"}, "location_id"),
    ("InboundExpected", {}, "type"),
    ("DiscrepancySettled", {}, "type"),
    ("StockPolicySet", {}, "type"),
    ("NeedPolicySet", {}, "type"),
    ("ItemDescribed", {}, "type"),
    ("LocationDescribed", {}, "type"),
    ("ConsentGiven", {}, "type"),
    ("TransferShipped", {}, "type"),
]


@pytest.mark.servers
@pytest.mark.parametrize(("name", "changes", "field"), FORGED)
def test_a_till_forges_nothing(
    shop: Gateway, name: str, changes: dict[str, Any], field: str
) -> None:
    answer = shop.post(told(name, **changes), token="till-s001")
    assert answer.status_code == 422, answer.text
    (result,) = answer.json()["results"]
    assert (result["status"], result["field"]) == ("rejected", field)


@pytest.mark.servers
def test_a_till_tells_what_happens_in_its_own_store(shop: Gateway) -> None:
    day = [told(name) for name in sorted(TILL)]
    for one in day:
        if "location_id" in one:
            one["location_id"] = "S001"
    answer = shop.post(day, token="till-s001").json()
    assert [r for r in answer["results"] if r["status"] != "accepted"] == []


@pytest.mark.servers
def test_units_of_a_line_leave_one_s_own_store_too(shop: Gateway) -> None:
    sale = told("PurchaseCompleted", location_id="S001")
    sale["lines"][-1]["location_id"] = "S002"
    (result,) = shop.post(sale, token="till-s001").json()["results"]
    assert result["field"] == f"lines.{len(sale['lines']) - 1}.location_id"


@pytest.mark.servers
@pytest.mark.parametrize("name", ["PurchaseCompleted", "PurchaseVoided", "PurchaseAmended"])
def test_the_items_of_a_set_leave_one_s_own_store_too(shop: Gateway, name: str) -> None:
    sale = told(name, location_id="S001")
    near, far = ({"sku": "A", "quantity": 1, "location_id": place} for place in ("S001", "S002"))
    sale["lines"][0]["components"] = [near, far]
    (result,) = shop.post(sale, token="till-s001").json()["results"]
    assert (result["status"], result["field"]) == ("rejected", "lines.0.components.1.location_id")


@pytest.mark.servers
def test_who_is_limited_to_stores_settles_what_concerns_them(shop: Gateway) -> None:
    places = ("S001", "S002", None)
    settled = [told("DiscrepancySettled", location_id=place) for place in places]
    results = shop.post(settled, token="operations-s001").json()["results"]
    assert [r["status"] for r in results] == ["accepted", "rejected", "rejected"]
    assert {r["field"] for r in results[1:]} == {"location_id"}


@pytest.mark.servers
def test_a_return_of_any_store_lands_in_one_s_own(shop: Gateway) -> None:
    back = told("PurchaseReturned", location_id="S001")  # of a sale that nobody looks up here
    assert shop.post(back, token="till-s001").status_code == 202


@pytest.mark.servers
@pytest.mark.parametrize(
    ("name", "own", "other"),
    [
        ("TransferShipped", "from_location_id", "to_location_id"),
        ("TransferReceived", "to_location_id", "from_location_id"),
    ],
)
def test_a_warehouse_moves_units_at_its_own_end(
    shop: Gateway, name: str, own: str, other: str
) -> None:
    good = told(name, **{own: "S001", other: "S002"})
    forged = told(name, **{own: "S002", other: "S001"})
    results = shop.post([good, forged], token="warehouse-s001").json()["results"]
    assert [r["status"] for r in results] == ["accepted", "rejected"]
    assert results[1]["field"] == own


@pytest.mark.servers
def test_operations_too_are_limited_to_their_stores(shop: Gateway) -> None:
    far = told("StockCounted", location_id="S002")
    (result,) = shop.post(far, token="operations-s001").json()["results"]
    assert (result["status"], result["field"]) == ("rejected", "location_id")


@pytest.mark.servers
def test_tokens_of_before_get_the_role_of_their_channel(servers: Any) -> None:
    before = {
        "a till": (["events:write", "channel:STORE", "system:pos"], "till"),
        "a shop": (["events:write", "channel:EC"], "ec"),
        "both": (["events:write", "channel:EC", "channel:STORE"], "ec"),
        "a call centre": (["events:write", "channel:CALL_CENTRE"], "operations"),
        "all": (["events:write", "channel:*"], "operations"),
        # the channel alone decides: the scope `operations` opens addresses, and appends nothing
        "a till that looks at operations": (
            ["events:write", "channel:STORE", "operations"],
            "till",
        ),
        "a shop that looks on": (["events:write", "channel:EC", "operations"], "ec"),
        "operations without a channel": (["events:write", "operations"], "operations"),
        "no channel": (["events:write"], "operations"),
        "an app": (["members:read", "channel:STORE"], None),
    }
    (roles,) = (file.text for file in migrations() if file.name.endswith("tokens_erasures"))
    with psycopg.connect(servers.postgres) as connection:  # rolled back at the end
        connection.execute("CREATE SCHEMA IF NOT EXISTS hitotsu")
        connection.execute(roles.encode())
        connection.execute("ALTER TABLE hitotsu.api_token DROP COLUMN role")
        for name, (scopes, _) in before.items():
            connection.execute(
                "INSERT INTO hitotsu.api_token (token_hash, name, scopes) VALUES (%s, %s, %s)",
                [name.encode(), name, scopes],
            )
        for _ in range(2):
            connection.execute(roles.encode())
            connection.execute(
                "INSERT INTO hitotsu.api_token (token_hash, name, scopes) VALUES ('later', 'later',"
                " '{events:write}') ON CONFLICT DO NOTHING"
            )
        found = dict(connection.execute("SELECT name, role FROM hitotsu.api_token").fetchall())
        connection.rollback()
    assert {name: found[name] for name in before} == {n: role for n, (_, role) in before.items()}
    assert found["later"] is None  # without a role nothing may be appended


def _day(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%F}"


@pytest.fixture(scope="module")
def earning(servers: Any, shop: Gateway) -> Iterator[Gateway]:
    """A gateway whose program changed from the tills to the rules ten days ago."""
    group = Group("earning", [one for one in discover() if one.name == "point_balance"])
    database.prepare(servers.postgres, group)
    versions = [(_day(-20), "PRODUCER", "{}"), (_day(-10), "RULES", "{}")]
    versions.append((_day(-9), "PRODUCER", "cannot be read"))
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute("TRUNCATE earning.program_rules")
        for since, accrual, rules in versions:
            connection.execute(
                "INSERT INTO earning.program_rules (program_id, valid_from, set_at, version,"
                " accrual, rules, row_version) VALUES"
                " ('hitotsu-points', extract(epoch FROM %s::timestamptz) * 1000000, 1, %s, %s, %s,"
                " 1)",
                [f"{since}T00:00:00Z", since, accrual, rules],
            )
    with Gateway(servers, HITOTSU_GROUP="earning") as running:
        yield running


@pytest.mark.servers
@pytest.mark.parametrize("name", ["PointsEarned", "PointsReversed"])
@pytest.mark.parametrize("role", ["till", "ec"])
def test_producers_give_points_while_the_program_says_so(
    earning: Gateway, role: Role, name: str
) -> None:
    def at(day: str) -> dict[str, Any]:
        made = event(name)
        made["meta"]["occurred_at"] = f"{day}T10:00:00Z"
        return made

    # the day of the sale decides, also for what waited in a buffer
    days = [_day(-25), _day(-15), _day(-10), _day(-5)]
    results = earning.post([at(day) for day in days], token=f"as-{role}").json()["results"]
    assert [r["status"] for r in results] == ["accepted", "accepted", "rejected", "rejected"]
    assert results[3]["field"] == "type"
    assert "rules" in results[3]["reason"]
    # but no till says that it waited for longer than a buffer holds
    (long_ago,) = earning.post([at("2020-01-01")], token=f"as-{role}").json()["results"]
    assert (long_ago["status"], long_ago["field"]) == ("rejected", "type")
