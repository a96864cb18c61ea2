"""Rows M1, M2, M9 and M11 of the table Money and points: currencies, programs, opened balances."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.situations.answers import Shop
from tests.situations.facts import HEAD_OFFICE, back, line
from tests.situations.rows import row

MINOR_UNITS = {"JPY": 0, "USD": 2, "KWD": 3}
ONE_PERCENT = {"earn": [{"points": 1, "per": 100}], "return_policy": "go_negative"}
DEFAULT = "hitotsu-points"


def program(shop: Shop, valid: timedelta = timedelta(), **rules: Any) -> str:
    """A new program with these rules, in force since now or that long ago; waits for them."""
    name = f"club-{uuid4().hex[:12]}"
    shop.tell(
        "ProgramRulesSet", HEAD_OFFICE, program_id=name, version="1", accrual="RULES",
        rules=json.dumps(ONE_PERCENT | rules), valid_from=shop.now() - valid,
    )  # fmt: skip
    assert shop.wire.ask("/v1/points-liability", program=name) == []
    return name


def joins(shop: Shop, member: UUID, name: str, **more: Any) -> None:
    """A member joins a program; waits until that is known."""
    shop.tell("ProgramJoined", "STORE", "S001", profile_id=member, program_id=name, **more)
    assert name in programs_of(shop, member)


def programs_of(shop: Shop, member: UUID) -> list[str]:
    """The programs that a member is in."""
    return [one["program"] for one in shop.wire.ask(f"/v1/members/{member}/programs")]


def points_in(shop: Shop, member: UUID, name: str) -> int:
    """A member's balance in a program, once everything that was told is decided."""
    shop.settle()
    return int(shop.wire.ask(f"/v1/members/{member}/points", program=name)["balance"])


def entries_in(shop: Shop, member: UUID, name: str = DEFAULT) -> list[dict[str, Any]]:
    """The movements of a member's points in a program, the newest first."""
    shop.settle()
    found: list[dict[str, Any]] = shop.wire.ask(
        f"/v1/members/{member}/points/entries", program=name
    )
    return found


@row("M1")
@pytest.mark.parametrize("currency", MINOR_UNITS)
def test_m1_a_yen_program_gives_points_for_yen(shop: Shop, currency: str) -> None:
    """M1. Given: USD 10.00, KWD 1.000, JPY 1,000 in a yen program.
    Right: 10 points for the yen sale; none for the others, with the reason; currency shown.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    sale = shop.sells(shirt, to=hanako, currency=currency)
    assert shop.points(hanako) == (10 if currency == "JPY" else 0)
    (entry,) = entries_in(shop, hanako)
    assert (entry["points"], entry["program"]) == (shop.points(hanako), DEFAULT)
    told = (entry["reason"], entry["currency"], entry["minor_units"])
    units = MINOR_UNITS[currency]
    assert told == ((None,) * 3 if currency == "JPY" else ("no_rate", currency, units))
    listed = shop.purchases(hanako)[sale.transaction]
    page = shop.wire.ask(f"/v1/purchases/{sale.transaction}")
    search = shop.wire.post("/v1/purchases/search", {"order_id": str(sale.transaction)})
    for one in (listed, page, *search):
        assert (one["currency"], one["minor_units"], one["total"]) == (currency, units, 1_000)


@row("M1")
def test_m1_other_currencies_earn_by_declared_rates(shop: Shop) -> None:
    """M1. Given: USD 10.00, KWD 1.000, JPY 1,000 in a yen program with rates; half comes back.
    Right: points by declared rates, the rate in the entry; half of them stay.
    """
    club = program(shop, rates={"USD": "150.25", "KWD": "489.5"})
    shirt, hanako = shop.item("SHIRT"), shop.member()
    joins(shop, hanako, club)
    rated = {"JPY": (10, None), "USD": (15, "150.25"), "KWD": (4, "489.5")}
    for currency, (points, rate) in rated.items():
        before = points_in(shop, hanako, club)
        sale = shop.sells(line(shirt, 2, 1_000), to=hanako, currency=currency)
        assert points_in(shop, hanako, club) == before + points
        assert entries_in(shop, hanako, club)[0]["rate"] == rate
        shop.returns(sale, back(shirt, refund=500))
        assert points_in(shop, hanako, club) == before + points // 2
    assert shop.points(hanako) == 0, "whoever joined a program is in no other"


@row("M2")
@pytest.mark.parametrize("code", ["ZZZ", "XAU", "jpy", "JPYX"])
def test_m2_a_code_that_is_no_currency(shop: Shop, code: str) -> None:
    """M2. Given: currency ZZZ. Right: 422 that names the field."""
    shirt, hanako = shop.item("SHIRT"), shop.member()
    sale = shop.sells(shirt, to=hanako)
    meta = sale.event["meta"] | {"event_id": str(uuid4())}
    told = sale.event | {"meta": meta, "transaction_id": str(uuid4()), "currency": code}
    answer = shop.wire.attempt(told)
    assert answer.status_code == 422
    (result,) = answer.json()["results"]
    assert (result["status"], result["field"]) == ("rejected", "currency")
    assert shop.points(hanako) == 10


@row("M9")
def test_m9_rules_of_another_program_change_nothing(shop: Shop) -> None:
    """M9. Given: rules of program B set newer than those of A.
    Right: A's members earn as before, B's by B's; balance, holds and liability are each one's own.
    """
    shirt, hanako, taro = shop.item("SHIRT"), shop.member(), shop.member()
    shop.sells(shirt, to=hanako)
    assert shop.points(hanako) == 10
    club = program(shop, valid=timedelta(days=1), earn=[{"points": 5, "per": 100}])
    joins(shop, taro, club)
    for who in (hanako, taro):
        shop.sells(shirt, to=who)
    assert (shop.points(hanako), points_in(shop, hanako, club)) == (20, 0)
    assert (shop.points(taro), points_in(shop, taro, club)) == (0, 50)
    assert shop.holds_points(taro, 1).status == 409
    hold = shop.wire.request(
        "/v1/points/holds",
        {"profile_id": str(taro), "channel": "EC", "points": 50, "program": club},
    )
    assert hold.status_code == 201
    assert shop.wire.state(f"/v1/points/holds/{hold.json()['hold_id']}")["program"] == club
    (month,) = shop.wire.ask("/v1/points-liability", program=club)
    assert month["points"] == 50


@row("M9")
def test_m9_a_return_that_names_no_program(shop: Shop) -> None:
    """M9. Given: a till asks what a return takes back in a program that does not exist.
    Right: 404 with its name, as for the balance; in the member's own program the 10 points.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    sale = shop.sells(shirt, to=hanako)
    assert shop.points(hanako) == 10
    asked = {
        "transaction_id": str(sale.transaction), "profile_id": str(hanako),
        "lines": [{"line_no": 1, "quantity": 1}],
    }  # fmt: skip
    refused = shop.wire.request("/v1/points/returns", asked | {"program": "hitotsu-point"})
    assert refused.status_code == 404
    assert "hitotsu-point" in refused.json()["detail"]
    answer = shop.wire.request("/v1/points/returns", asked | {"program": DEFAULT})
    assert answer.json()["taken_back"]["points"] == 10


@row("M9")
def test_m9_rules_that_cannot_be_read(shop: Shop) -> None:
    """M9. Given: unreadable rules. Right: 422 with the field; members earn as before."""
    shirt, hanako = shop.item("SHIRT"), shop.member()
    meta = {
        "event_id": str(uuid4()), "occurred_at": shop.now().isoformat(),
        "producer": {"system": "backoffice", "channel": HEAD_OFFICE},
    }  # fmt: skip
    told = {"type": "ProgramRulesSet", "meta": meta, "program_id": DEFAULT, "version": "bad",
            "accrual": "RULES", "valid_from": shop.now().isoformat()}  # fmt: skip
    for rules, field in (
        ({"earn": [{"points": 1, "per": 0}]}, "rules.earn.0.per"),
        ({"currency": "ZZZ"}, "rules.currency"),
        ({"rates": {"ZZZ": "1"}}, "rules.rates.ZZZ"),
    ):
        answer = shop.wire.attempt(told | {"rules": json.dumps(rules)})
        assert answer.status_code == 422
        assert answer.json()["results"][0]["field"] == field
    shop.sells(shirt, to=hanako)
    assert shop.points(hanako) == 10


@row("M9")
def test_m9_a_buyer_in_two_programs_earns_in_both(shop: Shop) -> None:
    """M9. Given: a member of A and B; a sale, told before joining B was; one unit comes back.
    Right: the sale earns in every program that its buyer is in, and each takes back its part.
    """
    club = program(shop, valid=timedelta(days=1), earn=[{"points": 5, "per": 100}])
    shirt, hanako = shop.item("SHIRT"), shop.member()
    joins(shop, hanako, DEFAULT, when=shop.now() - timedelta(hours=1))
    sale = shop.sells(line(shirt, 2, 2_000), to=hanako)
    assert shop.points(hanako) == 20
    joins(shop, hanako, club, when=shop.now() - timedelta(minutes=30))
    shop.until(lambda: points_in(shop, hanako, club) == 100)
    assert shop.points(hanako) == 20
    shop.returns(sale, back(shirt, refund=1_000))
    assert (shop.points(hanako), points_in(shop, hanako, club)) == (10, 50)
    page = shop.wire.ask(f"/v1/purchases/{sale.transaction}")
    assert [(one["program"], one["earned"], one["taken_back"])
            for one in page["points_of_programs"]] == [(club, 100, 50)]  # fmt: skip
    assert (page["points"]["earned"], page["points"]["taken_back"]) == (20, 10)
    shop.tell("ProgramLeft", "STORE", "S001", profile_id=hanako, program_id=club)
    assert programs_of(shop, hanako) == [DEFAULT]
    shop.sells(shirt, to=hanako)
    assert (shop.points(hanako), points_in(shop, hanako, club)) == (20, 50)


@row("M11")
def test_m11_a_balance_of_an_older_system(shop: Shop) -> None:
    """M11. Given: opening balance of 4,310 with its expiry, told twice; 500 redeemed.
    Right: 3,810, and what has expired is gone by then.
    """
    hanako, soon = shop.member(), shop.now() + timedelta(days=30)
    lots = [{"points": 4_000, "expires_at": soon}, {"points": 310}]
    opened = shop.tell(
        "BalanceOpened", HEAD_OFFICE, profile_id=hanako, program_id=DEFAULT, lots=lots
    )
    shop.resend(opened | {"meta": opened["meta"] | {"event_id": str(uuid4())}})
    assert shop.points(hanako) == 4_310
    shop.spends_points(hanako, 500, on=uuid4())
    found = shop.wire.ask(f"/v1/members/{hanako}/points")
    assert (found["balance"], found["opened"], found["redeemed"]) == (3_810, 4_310, 500)
    assert [(lot["points"], lot["expires_at"] is None) for lot in found["lots"]] == [
        (3_500, False), (310, True),
    ]  # fmt: skip
    later = (soon + timedelta(seconds=1)).isoformat()
    assert shop.wire.ask(f"/v1/members/{hanako}/points", as_of=later)["balance"] == 310
    assert len(entries_in(shop, hanako)) == 3
