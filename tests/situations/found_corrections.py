"""Situations of found.md that correct a sale: returns, voids and cancels."""

from __future__ import annotations

from tests.situations.answers import Shop
from tests.situations.facts import NOT_RETURNED, back, line
from tests.situations.rows import arrivals, row


@row("F1")
def test_f1_a_return_is_saved_three_times(shop: Shop) -> None:
    """F1. Given: one return, told three times under its own document number, with other notes.
    Right: it counts once, and nothing is odd about it.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "S001", 10)
    sale = shop.sells(line(shirt, 3, yen=3_000), to=hanako)
    for note in ("first", "second", "third"):
        shop.returns(sale, back(shirt), document_id="CREDIT-1", reason_code=note)
    assert shop.shelf(shirt, "S001").available == 8
    assert shop.points(hanako) == 20
    assert shop.bought(hanako, sale) == {1: (3, 1)}
    assert shop.discrepancies(about=sale) == []


@row("F2")
@arrivals
def test_f2_six_are_sold_and_come_back_in_two_goes(shop: Shop, arrival: str) -> None:
    """F2. Given: 6 sold, 2 come back, then 1, both without the card.
    Right: 3 of 6 came back; points of 3.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 10)
        sale = shop.sells(line(shirt, 6, yen=6_000), to=hanako)
        for units in (2, 1):
            shop.returns(sale, back(shirt, units, refund=1_000 * units))
    assert shop.bought(hanako, sale) == {1: (6, 3)}
    assert shop.points(hanako) == 30
    assert shop.shelf(shirt, "S001").on_hand == 7


@row("F3")
@arrivals
def test_f3_the_shop_and_the_payment_service_cancel_one_order(shop: Shop, arrival: str) -> None:
    """F3. Given: an order of 2 that was not shipped is voided twice, by two systems.
    Right: 5 of 5 may be sold, not 7; no points.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 5)
        order = shop.orders(line(shirt, 2, yen=2_000), to=hanako)
        shop.allocates(order, shirt, "W1", 2)
        for _ in range(2):
            shop.voids(order, channel="EC")
    shelf = shop.shelf(shirt, "W1")
    assert (shelf.committed, shelf.available) == (0, 5)
    assert shop.points(hanako) == 0


@row("F4")
def test_f4_an_order_is_cancelled_whose_goods_were_refunded_and_kept(shop: Shop) -> None:
    """F4. Given: 1 of 5 sold, refunded without the goods, then the sale is voided.
    Right: 4 may be sold; points 0, once.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "S001", 5)
    sale = shop.sells(shirt, to=hanako)
    shop.returns(sale, disposition=NOT_RETURNED)
    shop.voids(sale)
    assert shop.shelf(shirt, "S001").available == 4
    assert shop.points(hanako) == 0


@row("F5")
def test_f5_a_part_is_refunded_and_then_the_rest_is_cancelled(shop: Shop) -> None:
    """F5. Given: 3 ordered to ship, 1 cancelled with refund, then the whole order is voided.
    Right: 3 of 5 may be sold, then 5 of 5; points 30, 20, 0.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "W1", 5)
    order = shop.orders(line(shirt, 3, yen=3_000), to=hanako)
    assert shop.points(hanako) == 30
    shop.cancels(order, shirt, 1, refund=1_000)
    assert shop.points(hanako) == 20
    assert shop.shelf(shirt, "W1").available == 3
    shop.voids(order, channel="EC")
    shelf = shop.shelf(shirt, "W1")
    assert (shelf.on_hand, shelf.committed, shelf.available) == (5, 0, 5)
    assert shop.points(hanako) == 0


@row("F6")
def test_f6_a_return_names_the_item_and_no_line(shop: Shop) -> None:
    """F6. Given: a receipt with three items, 2 of each; 1 of the third comes back, told by item.
    Right: it is the third line's, and no other's.
    """
    skus, hanako = [shop.item(name) for name in ("X", "Y", "Z")], shop.member()
    sale = shop.sells(*(line(sku, 2, yen=2_000) for sku in skus), to=hanako)
    shop.returns(sale, back(skus[2], number=0))
    assert shop.bought(hanako, sale) == {1: (2, 0), 2: (2, 0), 3: (2, 1)}
    assert shop.points(hanako) == 50


@row("F7")
def test_f7_two_of_three_come_back(shop: Shop) -> None:
    """F7. Given: 3 bought in the web shop, 2 handed in at a store without the card.
    Right: the list says 2 of 3, not 3; the item is still owned.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    sale = shop.orders(line(shirt, 3, yen=3_000, fulfilment="IMMEDIATE"), to=hanako)
    shop.returns(sale, back(shirt, 2, refund=2_000), at="S002")
    assert shop.bought(hanako, sale) == {1: (3, 2)}
    assert shop.points(hanako) == 10
    assert shop.suppressed(hanako, shirt) == [shirt]


@row("F8")
def test_f8_a_cancelled_order_gives_back_the_points_that_paid_for_it(shop: Shop) -> None:
    """F8. Given: 50 points; an order of 2,150 takes all 50 and earns 21; it is voided.
    Right: 50, then 21, then 50.
    """
    coat, hat, hanako = shop.item("COAT"), shop.item("HAT"), shop.member()
    shop.sells(line(coat, yen=5_000), to=hanako)
    assert shop.points(hanako) == 50
    paid = [{"kind": "POINTS", "amount": 50}, {"kind": "CASH", "amount": 2_100}]
    order = shop.sells(line(hat, yen=2_150), to=hanako, tenders=paid)
    shop.settle()
    shop.spends_points(hanako, 50, on=order.transaction)
    assert shop.points(hanako) == 21
    shop.voids(order)
    assert shop.points(hanako) == 50


@row("F9")
def test_f9_two_lines_come_back_one_after_the_other(shop: Shop) -> None:
    """F9. Given: a receipt of two lines; the first comes back, a day later the second.
    Right: each comes back once.
    """
    shirt, socks, hanako = shop.item("SHIRT"), shop.item("SOCKS"), shop.member()
    for sku in (shirt, socks):
        shop.receives(sku, "S001", 10)
    sale = shop.sells(line(shirt, 1), line(socks, 2, yen=500), to=hanako)
    shop.returns(sale, back(shirt))
    assert shop.points(hanako) == 5
    shop.returns(sale, back(socks, 2, number=2, refund=500))
    assert shop.points(hanako) == 0
    assert shop.bought(hanako, sale) == {1: (1, 1), 2: (2, 2)}
    assert [shop.shelf(sku, "S001").available for sku in (shirt, socks)] == [10, 10]
    assert shop.discrepancies(about=sale) == []


@row("F10")
@arrivals
def test_f10_a_refunded_line_is_refunded_again_at_another_store(shop: Shop, arrival: str) -> None:
    """F10. Given: one unit comes back to S001, and later once more to S002.
    Right: S001 may sell 10 of 10, S002 none; the list says 1 of 1; points 0; a discrepancy.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 10)
        sale = shop.sells(shirt, to=hanako)
        shop.returns(sale, at="S001")
        again = shop.returns(sale, at="S002")
    stock = shop.stock(shirt)
    assert [stock.at(store).available for store in ("S001", "S002")] == [10, 0]
    assert (stock.at("S002").on_hand, stock.at("S002").unavailable) == (1, 1)
    assert shop.bought(hanako, sale) == {1: (1, 1)}
    assert shop.points(hanako) == 0
    assert len(shop.discrepancies("over_return", about=again)) == 1
