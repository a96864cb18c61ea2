"""Situations of public trackers: money that does not fit the sale that it is told of."""

from __future__ import annotations

from tests.situations.answers import Shop
from tests.situations.facts import line
from tests.situations.rows import arrivals, row


@row("F86")
@arrivals
def test_f86_money_of_another_currency_is_not_the_sales(shop: Shop, arrival: str) -> None:
    """F86. Given: 5.00 US dollars back of a sale of 1,000 yen.
    Right: 10 points stay, nothing is shown as given back; a discrepancy `sums`.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        sale = shop.sells(shirt, to=hanako)
        shop.lowers(sale, 500, currency="USD")
    assert shop.points(hanako) == 10
    (told,) = shop.purchase(sale)["lines"]
    assert (told["paid"], told["given_back"]) == (1_000, 0)
    assert [one["kind"] for one in shop.discrepancies("sums", about=sale)] == ["sums"]


@row("F86")
@arrivals
def test_f86_an_order_that_is_edited_in_another_currency(shop: Shop, arrival: str) -> None:
    """F86. Given: an order of 2 for 2,000 yen, edited to 1 for 10.00 dollars.
    Right: 1 sold, in dollars; no points by a program in yen; a discrepancy `sums`.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 5)
        order = shop.sells(line(shirt, 2, yen=2_000), to=hanako)
        shop.amends(order, line(shirt, yen=1_000), currency="USD")
    assert shop.points(hanako) == 0
    assert shop.shelf(shirt, "S001").on_hand == 4
    page = shop.purchase(order)
    assert (page["currency"], page["minor_units"], page["total"]) == ("USD", 2, 1_000)
    assert page["receipt"]["not_adding_up"] == ["currency"]
    assert [one["kind"] for one in shop.discrepancies("sums", about=order)] == ["sums"]
    shop.amends(order, line(shirt, yen=1_000))
    assert shop.discrepancies("sums", about=order) == []
    assert shop.points(hanako) == 10


@row("F87")
@arrivals
def test_f87_money_that_was_not_given_back_earns_nothing(shop: Shop, arrival: str) -> None:
    """F87. Given: a sale of 1,000 yen, of which minus 5,000 is given back.
    Right: 10 points, nothing is shown as given back; a discrepancy `sums`.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        sale = shop.sells(shirt, to=hanako)
        shop.lowers(sale, -5_000)
    assert shop.points(hanako) == 10
    (told,) = shop.purchase(sale)["lines"]
    assert (told["paid"], told["given_back"]) == (1_000, 0)
    assert [one["kind"] for one in shop.discrepancies("sums", about=sale)] == ["sums"]


@row("F87")
def test_f87_what_was_given_back_is_taken_again(shop: Shop) -> None:
    """F87. Given: 400 of 1,000 yen are given back by mistake for 100, so 300 are taken again.
    Right: 9 points; nothing to tell.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    sale = shop.sells(shirt, to=hanako)
    shop.lowers(sale, 400)
    shop.lowers(sale, -300)
    assert shop.points(hanako) == 9
    (told,) = shop.purchase(sale)["lines"]
    assert told["given_back"] == 100
    assert shop.discrepancies(about=sale) == []
