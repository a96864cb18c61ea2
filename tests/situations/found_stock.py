"""Situations of found.md that move stock: orders, shipments, transfers, sets and receipts."""

from __future__ import annotations

from uuid import uuid4

from tests.situations.answers import Shelf, Shop
from tests.situations.facts import back, line
from tests.situations.rows import arrivals, row

PICKUP = "PICKUP"


def figures(shelf: Shelf) -> tuple[float, float, float]:
    """On hand, committed, available."""
    return shelf.on_hand, shelf.committed, shelf.available


@row("F11")
def test_f11_an_order_is_cancelled_when_the_shelf_is_empty(shop: Shop) -> None:
    """F11. Given: 1 received and ordered; a count finds 0; the order is voided.
    Right: it is taken; on hand 0, committed 0, available 0.
    """
    shirt = shop.item("SHIRT")
    shop.receives(shirt, "W1", 1)
    order = shop.orders(shirt)
    shop.counts(shirt, "W1", 0)
    assert figures(shop.shelf(shirt, "W1")) == (0, 1, -1)
    shop.voids(order, channel="EC")
    assert figures(shop.shelf(shirt, "W1")) == (0, 0, 0)


@row("F12")
@arrivals
def test_f12_an_order_of_one_warehouse_is_shipped_from_two(shop: Shop, arrival: str) -> None:
    """F12. Given: 10 ordered from W2; 5 shipped from W1, 5 from W2.
    Right: W1 95 of 100 and none promised, W2 145 of 150 and none promised.
    """
    shirt = shop.item("SHIRT")
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 100)
        shop.receives(shirt, "W2", 150)
        order = shop.orders(line(shirt, 10, yen=10_000), at="W2")
        shop.allocates(order, shirt, "W2", 10)
        for place in ("W1", "W2"):
            shop.ships(order, shirt, place, 5)
    stock = shop.stock(shirt)
    assert figures(stock.at("W1")) == (95, 0, 95)
    assert figures(stock.at("W2")) == (145, 0, 145)


@row("F13")
@arrivals
def test_f13_a_parcel_comes_back_to_another_warehouse(shop: Shop, arrival: str) -> None:
    """F13. Given: 2 shipped from W1 come back to W2. Right: W1 3 of 5, W2 2."""
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 5)
        order = shop.orders(line(shirt, 2, yen=2_000), to=hanako)
        shop.ships(order, shirt, "W1", 2)
        shop.returns(order, at="W2", channel="EC")
    stock = shop.stock(shirt)
    assert figures(stock.at("W1")) == (3, 0, 3)
    assert figures(stock.at("W2")) == (2, 0, 2)
    assert shop.points(hanako) == 0


@row("F14")
def test_f14_the_rest_of_an_order_of_sets_is_cancelled(shop: Shop) -> None:
    """F14. Given: 5 sets ordered of 100 cups, 3 shipped, 2 cancelled.
    Right: 97 cups, none promised.
    """
    cup, gift = shop.item("CUP"), shop.item("TEA-SET")
    shop.receives(cup, "W1", 100)
    order = shop.orders(line(gift, 5, yen=5_000, components=[{"sku": cup, "quantity": 1}]))
    assert figures(shop.shelf(cup, "W1")) == (100, 5, 95)
    shop.ships(order, cup, "W1", 3)
    shop.cancels(order, gift, 2, refund=2_000)
    assert figures(shop.shelf(cup, "W1")) == (97, 0, 97)


@row("F15")
@arrivals
def test_f15_some_never_left_and_some_come_back(shop: Shop, arrival: str) -> None:
    """F15. Given: 10 of 100 ordered, 6 shipped, 4 cancelled, 3 come back.
    Right: 97, none promised; points of 3.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 100)
        order = shop.orders(line(shirt, 10, yen=10_000), to=hanako)
        shop.ships(order, shirt, "W1", 6)
        shop.cancels(order, shirt, 4, refund=4_000)
        shop.returns(order, back(shirt, 3, refund=3_000), at="W1", channel="EC")
    assert figures(shop.shelf(shirt, "W1")) == (97, 0, 97)
    assert shop.points(hanako) == 30


@row("F16")
def test_f16_a_customer_picks_up_a_part_and_leaves_the_rest(shop: Shop) -> None:
    """F16. Given: 5 of 10 ordered for pick-up, 3 handed over, the promise of 2 released.
    Right: 7 on hand, 7 may be sold.
    """
    shirt = shop.item("SHIRT")
    shop.receives(shirt, "S001", 10)
    order = shop.orders(line(shirt, 5, yen=5_000, fulfilment=PICKUP), at="S001")
    shop.hands_over(order, shirt, "S001", 3)
    assert figures(shop.shelf(shirt, "S001")) == (7, 2, 5)
    shop.releases(order, shirt, "S001", 2)
    assert figures(shop.shelf(shirt, "S001")) == (7, 0, 7)


@row("F17")
@arrivals
def test_f17_one_item_of_a_pick_up_is_refunded_before_it_is_fetched(
    shop: Shop, arrival: str
) -> None:
    """F17. Given: 10 cups and 10 spoons ordered for pick-up; the cups are cancelled, the spoons
    handed over. Right: 10 cups may be sold, no spoon is left; points of the spoons.
    """
    cup, spoon, hanako = shop.item("CUP"), shop.item("SPOON"), shop.member()
    with shop.arriving(arrival):
        for sku in (cup, spoon):
            shop.receives(sku, "S001", 10)
        order = shop.orders(
            *(line(sku, 10, yen=5_000, fulfilment=PICKUP) for sku in (cup, spoon)),
            at="S001", to=hanako,
        )  # fmt: skip
        shop.cancels(order, cup, 10, number=1, refund=5_000, at="S001")
        shop.hands_over(order, spoon, "S001", 10, number=2)
    assert figures(shop.shelf(cup, "S001")) == (10, 0, 10)
    assert figures(shop.shelf(spoon, "S001")) == (0, 0, 0)
    assert shop.points(hanako) == 50


@row("F18")
def test_f18_a_set_comes_back_after_its_recipe_changed(shop: Shop) -> None:
    """F18. Given: a set of cup and spoon is sold; then it is sold as cup and fork; the first comes
    back. Right: cup and spoon come back, no fork.
    """
    cup, spoon, fork = (shop.item(name) for name in ("CUP", "SPOON", "FORK"))
    gift = shop.item("TEA-SET")
    for sku in (cup, spoon, fork):
        shop.receives(sku, "S001", 10)
    first, _ = (
        shop.sells(line(gift, components=[{"sku": sku, "quantity": 1} for sku in (cup, other)]))
        for other in (spoon, fork)
    )
    shop.returns(first)
    assert [shop.shelf(sku, "S001").on_hand for sku in (cup, spoon, fork)] == [9, 10, 9]


@row("F19")
def test_f19_one_of_two_sets_comes_back(shop: Shop) -> None:
    """F19. Given: 2 sets of 3 cups are sold, 1 set comes back. Right: 3 cups less, not 6 or 0."""
    cup, gift = shop.item("CUP"), shop.item("TEA-SET")
    shop.receives(cup, "S001", 10)
    sale = shop.sells(line(gift, 2, yen=2_000, components=[{"sku": cup, "quantity": 3}]))
    shop.returns(sale, back(gift))
    assert shop.shelf(cup, "S001").on_hand == 7


@row("F20")
def test_f20_a_transfer_arrives_in_two_deliveries(shop: Shop) -> None:
    """F20. Given: 12 sent, 8 arrive, then 4. Right: incoming 12, 4, 0; on hand 0, 8, 12."""
    shirt = shop.item("SHIRT")
    shop.receives(shirt, "W1", 20)
    transfer = shop.sends_on(shirt, "W1", "S001", 12)
    shelves = [shop.shelf(shirt, "S001")]
    for units in (8, 4):
        shop.takes_in(transfer, units)
        shelves.append(shop.shelf(shirt, "S001"))
    assert [(shelf.incoming, shelf.on_hand) for shelf in shelves] == [(12, 0), (4, 8), (0, 12)]
    assert shop.discrepancies(about=transfer.transfer) == []


@row("F21")
def test_f21_a_transfer_is_called_back(shop: Shop) -> None:
    """F21. Given: 12 of 20 sent from W1 to S001; the van turns round and W1 takes them in again.
    Right: W1 20 of 20; nothing is incoming anywhere.
    """
    shirt = shop.item("SHIRT")
    shop.receives(shirt, "W1", 20)
    transfer = shop.sends_on(shirt, "W1", "S001", 12)
    shop.takes_in(transfer, 12, at="W1")
    stock = shop.stock(shirt)
    assert (stock.at("W1").available, stock.at("W1").incoming) == (20, 0)
    assert (stock.at("S001").on_hand, stock.at("S001").incoming) == (0, 0)


@row("F22")
def test_f22_a_shipment_is_moved_to_a_warehouse_that_has_too_few(shop: Shop) -> None:
    """F22. Given: W1 and W2 have 10 each; 15 promised at W1 are moved to W2.
    Right: W1 10 free of 10; W2 15 promised of 10, so 5 are short.
    """
    shirt, order = shop.item("SHIRT"), uuid4()
    for place in ("W1", "W2"):
        shop.receives(shirt, place, 10)
    shop.allocates(order, shirt, "W1", 15)
    shop.releases(order, shirt, "W1", 15)
    shop.allocates(order, shirt, "W2", 15)
    stock = shop.stock(shirt)
    assert figures(stock.at("W1")) == (10, 0, 10)
    assert figures(stock.at("W2")) == (10, 15, -5)


@row("F23")
def test_f23_one_line_is_promised_and_shipped_from_two_warehouses(shop: Shop) -> None:
    """F23. Given: 10 ordered; 5 promised at W1 and 5 at W2, 7 shipped: 5 from W1, 2 from W2.
    Right: W1 5 of 10 and none promised; W2 8 of 10, 3 of them promised.
    """
    shirt, order = shop.item("SHIRT"), uuid4()
    for place in ("W1", "W2"):
        shop.receives(shirt, place, 10)
        shop.allocates(order, shirt, place, 5)
    shop.ships(order, shirt, "W1", 5)
    shop.ships(order, shirt, "W2", 2)
    stock = shop.stock(shirt)
    assert figures(stock.at("W1")) == (5, 0, 5)
    assert figures(stock.at("W2")) == (8, 3, 5)


@row("F24")
def test_f24_somebody_clicks_twice_when_goods_arrive(shop: Shop) -> None:
    """F24. Given: a delivery note's line of 6 is told twice, a second line of it once.
    Right: 6 and 4, not 12 and 4.
    """
    shirt, socks, note = shop.item("SHIRT"), shop.item("SOCKS"), f"NOTE-{uuid4()}"
    for _ in range(2):
        shop.receives(shirt, "W1", 6, document_id=note, document_line=1)
    shop.receives(socks, "W1", 4, document_id=note, document_line=2)
    assert shop.shelf(shirt, "W1").on_hand == 6
    assert shop.shelf(socks, "W1").on_hand == 4


@row("F25")
@arrivals
def test_f25_a_carrier_tells_a_shipment_twice(shop: Shop, arrival: str) -> None:
    """F25. Given: 2 of an order of 4 shipped, told twice by its slip; then a second parcel of 2.
    Right: 6 of 10, none promised; nothing is odd about it.
    """
    shirt, slip = shop.item("SHIRT"), f"SLIP-{uuid4()}"
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 10)
        order = shop.orders(line(shirt, 4, yen=4_000))
        for number in (1, 1, 2):
            shop.ships(order, shirt, "W1", 2, document_id=f"{slip}-{number}")
    assert figures(shop.shelf(shirt, "W1")) == (6, 0, 6)
    assert shop.discrepancies(about=order) == []


@row("F26")
def test_f26_a_parcel_is_taken_off_the_van_and_sent_tomorrow(shop: Shop) -> None:
    """F26. Given: 1 of 5 promised and shipped; it is found on the ramp, put back, promised and
    shipped again. Right: 4, 5 with 1 promised, 4.
    """
    shirt, order = shop.item("SHIRT"), uuid4()
    shop.receives(shirt, "W1", 5)
    shop.allocates(order, shirt, "W1")
    shop.ships(order, shirt, "W1")
    assert figures(shop.shelf(shirt, "W1")) == (4, 0, 4)
    shop.adjusts(shirt, "W1", 1)
    shop.allocates(order, shirt, "W1")
    assert figures(shop.shelf(shirt, "W1")) == (5, 1, 4)
    shop.ships(order, shirt, "W1")
    assert figures(shop.shelf(shirt, "W1")) == (4, 0, 4)
