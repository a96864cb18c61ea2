"""Situations of found.md about programs of points and currencies."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from tests.situations.answers import Shop
from tests.situations.facts import HEAD_OFFICE, back, line
from tests.situations.programs import DEFAULT, entries_in, joins, points_in, program, programs_of
from tests.situations.rows import arrivals, row


@row("F32")
def test_f32_a_program_of_another_currency_in_the_same_shop(shop: Shop) -> None:
    """F32. Given: a member of a yen and of a dollar program buys for 10.00 USD, then for 1,000 yen.
    Right: each program earns in its own currency; the other says why it does not.
    """
    dollars = program(shop, currency="USD")
    shirt, hanako = shop.item("SHIRT"), shop.member()
    for club in (DEFAULT, dollars):
        joins(shop, hanako, club)
    shop.sells(shirt, to=hanako, currency="USD")
    assert (shop.points(hanako), points_in(shop, hanako, dollars)) == (0, 10)
    shop.sells(shirt, to=hanako)
    assert (shop.points(hanako), points_in(shop, hanako, dollars)) == (10, 10)
    said = {club: entries_in(shop, hanako, club) for club in (DEFAULT, dollars)}
    assert [(one["points"], one["currency"]) for one in said[DEFAULT]] == [(10, None), (0, "USD")]
    assert [(one["points"], one["currency"]) for one in said[dollars]] == [(0, "JPY"), (10, None)]


@row("F33")
def test_f33_a_program_that_gives_nothing_leaves_no_trace(shop: Shop) -> None:
    """F33. Given: a member of two programs buys what only one of them gives points for.
    Right: the other has no movement, no lot and no balance.
    """
    teas = program(shop, earn=[{"categories": ["tea"], "points": 1, "per": 100}])
    shirt, hanako = shop.item("SHIRT"), shop.member()
    for club in (DEFAULT, teas):
        joins(shop, hanako, club)
    shop.sells(shirt, to=hanako)
    assert (shop.points(hanako), points_in(shop, hanako, teas)) == (10, 0)
    assert entries_in(shop, hanako, teas) == []


@row("F34")
def test_f34_a_migration_that_runs_again(shop: Shop) -> None:
    """F34. Given: balances are imported; the import runs again, once as it was and once with more.
    Right: the first counts; the same again is a duplicate, other content a conflict.
    """
    hanako = shop.member()
    told = {"profile_id": hanako, "program_id": DEFAULT}
    shop.tell("BalanceOpened", HEAD_OFFICE, lots=[{"points": 300}, {"points": 20}], **told)
    same = shop.tell("BalanceOpened", HEAD_OFFICE, lots=[{"points": 20}, {"points": 300}], **told)
    more = shop.tell("BalanceOpened", HEAD_OFFICE, lots=[{"points": 640}], **told)
    assert shop.points(hanako) == 320
    assert len(entries_in(shop, hanako)) == 2
    assert (shop.became(same), shop.became(more)) == ("applied", "conflict")


@row("F35")
@arrivals
def test_f35_half_of_a_sale_without_cents_comes_back(shop: Shop, arrival: str) -> None:
    """F35. Given: 5,800 yen in a dollar program with a rate; a third of it comes back.
    Right: points and what stays are those of 5,800 yen, never of 58.00.
    """
    dollars = program(shop, currency="USD", rates={"JPY": "0.01"})
    shirt, hanako = shop.item("SHIRT"), shop.member()
    joins(shop, hanako, dollars)
    with shop.arriving(arrival):
        sale = shop.sells(line(shirt, 3, 5_700), to=hanako)
        shop.returns(sale, back(shirt, refund=1_900))
    assert points_in(shop, hanako, dollars) == 38
    listed = shop.purchases(hanako)[sale.transaction]
    assert (listed["total"], listed["minor_units"]) == (5_700, 0)


@row("F36")
def test_f36_one_card_for_the_till_and_for_the_web_shop(shop: Shop) -> None:
    """F36. Given: a customer joins a program at the till and orders under her web account.
    Right: one card: the order earns in the program that she joined, and nowhere else.
    """
    club = program(shop, earn=[{"points": 2, "per": 100}])
    shirt, hanako = shop.item("SHIRT"), shop.member()
    joins(shop, hanako, club, when=shop.now() - timedelta(minutes=1))
    account = shop.account_of(hanako)
    assert programs_of(shop, account) == [club]
    shop.sells(shirt, to=hanako)
    order = shop.orders(shirt, to=account)
    for who in (hanako, account):
        assert (points_in(shop, who, club), shop.points(who)) == (40, 0)
    shop.voids(order)
    assert points_in(shop, hanako, club) == 20
    body = {"profile_id": str(account), "channel": "EC", "points": 20, "program": club}
    spent = shop.wire.request("/v1/points/redemptions", body | {"transaction_id": str(uuid4())})
    assert spent.status_code == 200
    position = f"event:{spent.json()['event_id']}"
    shop.wire.ask(f"/v1/members/{hanako}/points", min_position=position)
    assert points_in(shop, hanako, club) == 0
