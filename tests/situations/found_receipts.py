"""Situations of found.md about one receipt: discounts, taxes, shipping, money given back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.situations.answers import Shop
from tests.situations.facts import EC, NOT_RETURNED, back, line
from tests.situations.receipts import day_with
from tests.situations.rows import arrivals, row


@row("F71")
def test_f71_a_line_with_a_negative_price_is_no_return(shop: Shop) -> None:
    """F71. Given: goods of 1,550 and a bottle that is taken back for 77, both at 10 %.
    Right: one sale of 1,473, points of it, adds up; nothing came back.
    """
    cup, bottle, hanako = shop.item("CUP"), shop.item("BOTTLE"), shop.member()
    lines = [line(cup, yen=1_550, tax_rate=1_000), line(bottle, 1, yen=-77, tax_rate=1_000)]
    tax = [{"rate_basis_points": 1_000, "net": 1_340, "tax": 133}]
    sale = shop.sells(*lines, to=hanako, tax_by_rate=tax)
    assert shop.points(hanako) == 14
    assert shop.bought(hanako, sale)[1] == (1, 0)
    assert shop.discrepancies(about=sale) == []


@row("F72")
def test_f72_shipping_earns_nothing_where_the_rules_say_so(shop: Shop) -> None:
    """F72. Given: goods of 2,000 and shipping of 800; rules without shipping; shipping given back.
    Right: 20 points, before and after.
    """
    cup, parcel, hanako = shop.item("CUP"), shop.item("PARCEL"), shop.member()
    when = day_with(shop, excluded_kinds=["SHIPPING"])
    shipping = line(parcel, yen=800, kind="SHIPPING")
    sale = shop.sells(line(cup, yen=2_000), shipping, to=hanako, when=when, channel=EC)
    assert shop.points(hanako) == 20
    shop.lowers(sale, 800, number=2)
    assert shop.points(hanako) == 20
    assert shop.discrepancies(about=sale) == []


@row("F73")
def test_f73_cash_is_rounded_and_the_receipt_adds_up(shop: Shop) -> None:
    """F73. Given: goods of 998, 3 off because cash is rounded, 995 paid.
    Right: adds up; points of 998; the rounding is no goods.
    """
    cup, cents, hanako = shop.item("CUP"), shop.item("CENTS"), shop.member()
    lines = [line(cup, yen=998), line(cents, yen=-3, kind="ROUNDING")]
    sale = shop.sells(*lines, to=hanako, tenders=[{"kind": "CASH", "amount": 995}])
    assert shop.discrepancies(about=sale) == []
    assert shop.points(hanako) == 9
    assert shop.bought(hanako, sale) == {1: (1, 0)}
    assert shop.shelf(cents, "S001").on_hand == 0


@row("F74")
@arrivals
def test_f74_money_of_one_of_three_units_comes_back_twice(shop: Shop, arrival: str) -> None:
    """F74. Given: 3 for 3,000; 100 given back, twice; then one unit comes back.
    Right: 3 units stay sold until then; 28 points, then those of two of three.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 5)
        sale = shop.sells(line(shirt, 3, yen=3_000), to=hanako)
        for _ in range(2):
            shop.lowers(sale, 100)
    assert shop.bought(hanako, sale) == {1: (3, 0)}
    assert shop.points(hanako) == 28
    assert shop.shelf(shirt, "S001").on_hand == 2
    shop.returns(sale, back(shirt, refund=933))
    assert shop.points(hanako) == 18
    assert shop.shelf(shirt, "S001").on_hand == 3


@row("F75")
def test_f75_all_comes_back_of_a_receipt_whose_discount_does_not_divide(shop: Shop) -> None:
    """F75. Given: three lines of 333, 100 off the receipt; each line comes back for its share.
    Right: 8 points, then none; no discrepancy, though the shares are rounded.
    """
    skus, hanako = [shop.item(name) for name in ("X", "Y", "Z")], shop.member()
    off = [{"amount": 100, "reason_code": "coupon"}]
    sale = shop.sells(*(line(sku, yen=333) for sku in skus), to=hanako, total=899, discounts=off)
    assert shop.points(hanako) == 8
    for number, (sku, refund) in enumerate(zip(skus, (299, 300, 300), strict=True), 1):
        shop.returns(sale, back(sku, 1, number, refund))
    assert shop.points(hanako) == 0
    assert shop.discrepancies(about=sale) == []


@row("F76")
def test_f76_a_refund_without_goods_and_then_a_part_of_the_rest(shop: Shop) -> None:
    """F76. Given: 2 for 2,000; one refunded and kept, then 200 of the other given back.
    Right: 3 of 5 on hand all the time; 8 points.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "S001", 5)
    sale = shop.sells(line(shirt, 2, yen=2_000), to=hanako)
    shop.returns(sale, back(shirt), disposition=NOT_RETURNED)
    shop.lowers(sale, 200)
    assert shop.points(hanako) == 8
    assert shop.shelf(shirt, "S001").on_hand == 3
    assert shop.discrepancies(about=sale) == []


@row("F77")
@arrivals
def test_f77_more_is_ordered_before_it_is_sent(shop: Shop, arrival: str) -> None:
    """F77. Given: 1 ordered to ship for 1,000, then 2 for 2,000 on the same line.
    Right: 20 points; 2 promised of 5.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 5)
        order = shop.orders(shirt, to=hanako)
        shop.amends(order, line(shirt, 2, yen=2_000, fulfilment="SHIP"))
    assert shop.points(hanako) == 20
    shelf = shop.shelf(shirt, "W1")
    assert (shelf.on_hand, shelf.committed, shelf.available) == (5, 2, 3)
    assert shop.bought(hanako, order) == {1: (2, 0)}


@row("F78")
def test_f78_a_discount_of_the_receipt_lowers_the_tax_of_both_rates(shop: Shop) -> None:
    """F78. Given: 1,080 at 8 % and 1,100 at 10 %, 218 off the receipt; base without tax.
    Right: 72 and 90 of tax; points of 900 and 900.
    """
    tea, cup, hanako = shop.item("TEA"), shop.item("CUP"), shop.member()
    when = day_with(shop, base_without_tax=True)
    lines = [line(tea, yen=1_080, tax_rate=800), line(cup, yen=1_100, tax_rate=1_000)]
    more: dict[str, Any] = {"total": 1_962, "discounts": [{"amount": 218, "reason_code": "age"}]}
    told = [(800, 900, 72), (1_000, 900, 90)]
    more["tax_by_rate"] = [
        {"rate_basis_points": rate, "net": net, "tax": tax} for rate, net, tax in told
    ]
    sale = shop.sells(*lines, to=hanako, when=when, **more)
    assert shop.points(hanako) == 18
    assert shop.discrepancies(about=sale) == []


@row("F79")
@pytest.mark.parametrize(("per", "points"), [("line", 5), ("receipt", 6)])
def test_f79_ten_percent_off_two_items_in_yen(shop: Shop, per: str, points: int) -> None:
    """F79. Given: 395 and 295, 69 off the receipt, rounded per line and per receipt.
    Right: the parts come to 621: 5 points by line, 6 by receipt.
    """
    skus, hanako = [shop.item(name) for name in ("A", "B")], shop.member()
    when = day_with(shop, rounded_per=per)
    lines = [line(sku, yen=yen) for sku, yen in zip(skus, (395, 295), strict=True)]
    off = [{"amount": 69, "reason_code": "coupon"}]
    sale = shop.sells(*lines, to=hanako, when=when, total=621, discounts=off)
    assert shop.points(hanako) == points
    assert shop.discrepancies(about=sale) == []


@row("F80")
@pytest.mark.parametrize(("tax", "odd"), [(580, []), (581, ["lines", "tax"])])
def test_f80_a_discount_that_units_do_not_divide(shop: Shop, tax: int, odd: list[str]) -> None:
    """F80. Given: 4 of 750 less 98, 20 % of tax added: 580, or 581 as units would round it.
    Right: 2,902 + 580 adds up; a total that has 581 does not.
    """
    sum_of_rate = {"rate_basis_points": 2_000, "net": 2_902, "tax": 580}
    cup = line(shop.item(), 4, yen=2_902, discount=98, tax_rate=2_000, tax_included=False)
    sale = shop.sells(cup, total=2_902 + tax, tax_by_rate=[sum_of_rate])
    assert shop.purchase(sale)["receipt"]["not_adding_up"] == odd
    assert len(shop.discrepancies("sums", about=sale)) == bool(odd)
