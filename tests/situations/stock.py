"""Rows of the table Stock: orders, shipments, transfers, counts, sets and weights."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.situations.answers import Shelf, Shop
from tests.situations.facts import HEAD_OFFICE, NOT_RETURNED, RIGHT, line
from tests.situations.rows import arrivals, row

PICKUP, SHIP = "PICKUP", "SHIP"
HELD_SECONDS = 3  # what a busy machine needs for four requests, and more


def figures(shelf: Shelf) -> tuple[float, float, float]:
    """On hand, committed, available."""
    return shelf.on_hand, shelf.committed, shelf.available


@row("S1")
@arrivals
def test_s1_shipped_without_an_allocation(shop: Shop, arrival: str) -> None:
    """S1. Given: received 10; 3 shipped of an order never allocated.
    Right: on hand 7, committed 0, available 7; reservation of 8 refused; a discrepancy.
    """
    shirt, order = shop.item("SHIRT"), uuid4()
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 10)
        shop.ships(order, shirt, "W1", 3)
    assert figures(shop.shelf(shirt, "W1")) == (7, 0, 7)
    assert shop.reserves(shirt, "W1", 8).status == 409
    assert len(shop.discrepancies("shipped_unordered", about=order)) == 1


@row("S2", "S3")
@pytest.mark.parametrize("released", [1, 2], ids=["released", "released twice"])
@arrivals
def test_s2_s3_released_after_it_was_shipped(shop: Shop, released: int, arrival: str) -> None:
    """S2. Given: received 10, allocated 1, shipped 1, then released.
    Right: on hand 9, available 9; a discrepancy.

    S3. Given: S2, the release told twice. Right: on hand 9, available 9; a discrepancy.
    """
    shirt, order = shop.item("SHIRT"), uuid4()
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 10)
        shop.allocates(order, shirt, "W1")
        shop.ships(order, shirt, "W1")
        for _ in range(released):
            shop.releases(order, shirt, "W1")
    assert figures(shop.shelf(shirt, "W1")) == (9, 0, 9)
    assert shop.discrepancies("released_after_end", about=order)


@row("S4")
@arrivals
def test_s4_a_web_order_for_pick_up_is_cancelled_at_the_counter(shop: Shop, arrival: str) -> None:
    """S4. Given: web order PICKUP at S001 (5, allocated 1), cancelled at the counter and released.
    Right: on hand 5, available 5.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 5)
        order = shop.orders(line(shirt, fulfilment=PICKUP), to=hanako, at="S001")
        shop.allocates(order, shirt, "S001")
        shop.voids(order)
        shop.releases(order, shirt, "S001")
    assert figures(shop.shelf(shirt, "S001")) == (5, 0, 5)


@row("S5")
@arrivals
def test_s5_a_store_sale_to_ship_is_voided_by_head_office(shop: Shop, arrival: str) -> None:
    """S5. Given: store sale, line SHIP, voided by head office before shipping.
    Right: on hand 5 of 5.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 5)
        sale = shop.sells(line(shirt, fulfilment=SHIP), to=hanako)
        shop.voids(sale, channel=HEAD_OFFICE)
    assert figures(shop.shelf(shirt, "S001")) == (5, 0, 5)


@row("S6")
@arrivals
def test_s6_the_store_sells_and_the_warehouse_ships(shop: Shop, arrival: str) -> None:
    """S6. Given: store sells, warehouse W1 ships (allocated, shipped). Right: W1 4 of 5."""
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 5)
        sale = shop.sells(line(shirt, fulfilment=SHIP, location_id="W1"), to=hanako)
        shop.allocates(sale, shirt, "W1")
        shop.ships(sale, shirt, "W1")
    assert figures(shop.shelf(shirt, "W1")) == (4, 0, 4)
    assert shop.shelf(shirt, "S001") == Shelf()


@row("S7")
@arrivals
def test_s7_a_picked_up_order_is_rung_up_again_at_the_till(shop: Shop, arrival: str) -> None:
    """S7. Given: picked-up order rung up again at the till under another transaction, naming the
    order. Right: 4 of 5; a discrepancy.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 5)
        order = shop.orders(line(shirt, fulfilment=PICKUP), to=hanako, at="S001")
        shop.allocates(order, shirt, "S001")
        shop.hands_over(order, shirt, "S001")
        again = shop.sells(shirt, to=hanako, order_id=order.order)
    assert figures(shop.shelf(shirt, "S001")) == (4, 0, 4)
    shop.until(lambda: shop.points(hanako) == 10)  # the sale may be judged before the hand-over
    assert list(shop.purchases(hanako)) == [order.transaction]
    (found,) = shop.discrepancies("doubled_document", about=again)
    shop.settles(found, RIGHT)
    assert shop.discrepancies(about=again) == []
    assert figures(shop.shelf(shirt, "S001")) == (3, 0, 3)
    assert set(shop.purchases(hanako)) == {order.transaction, again.transaction}
    shop.until(lambda: shop.points(hanako) == 20)


@row("S8")
def test_s8_a_part_is_cancelled_before_shipping(shop: Shop) -> None:
    """S8. Given: 10 on hand; 3 ordered to ship; 1 cancelled before shipping with refund; 2 shipped.
    Right: on hand 10, 10, 8; available 7, 8, 8.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "W1", 10)
    order = shop.orders(line(shirt, 3, yen=3_000), to=hanako)
    assert figures(shop.shelf(shirt, "W1")) == (10, 3, 7)
    shop.cancels(order, shirt, 1, refund=1_000)
    assert figures(shop.shelf(shirt, "W1")) == (10, 2, 8)
    shop.ships(order, shirt, "W1", 2)
    assert figures(shop.shelf(shirt, "W1")) == (8, 0, 8)
    assert shop.points(hanako) == 20


@row("S9")
@arrivals
def test_s9_a_refund_without_the_goods(shop: Shop, arrival: str) -> None:
    """S9. Given: refund, goods never come back.
    Right: on hand as before, points of it gone, list says refunded.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 5)
        sale = shop.sells(shirt, to=hanako)
        shop.returns(sale, disposition=NOT_RETURNED)
    assert figures(shop.shelf(shirt, "S001")) == (4, 0, 4)
    assert shop.points(hanako) == 0
    (listed,) = shop.purchases(hanako)[sale.transaction]["lines"]
    assert listed["refunded"] == 1


@row("S10")
@arrivals
def test_s10_a_transfer_is_received_twice(shop: Shop, arrival: str) -> None:
    """S10. Given: transfer of 4 received twice. Right: 4 once; a discrepancy."""
    shirt = shop.item("SHIRT")
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 10)
        transfer = shop.sends_on(shirt, "S001", "S002", 4)
        for _ in range(2):
            shop.takes_in(transfer, 4)
    shelf = shop.shelf(shirt, "S002")
    assert (shelf.on_hand, shelf.available, shelf.incoming) == (4, 4, 0)
    assert shop.shelf(shirt, "S001").on_hand == 6
    assert len(shop.discrepancies("over_received", about=transfer.transfer)) == 1


@row("S10")
@arrivals
def test_s10_a_transfer_arrives_at_another_store(shop: Shop, arrival: str) -> None:
    """S10. Given: transfer of 4 sent to S002 and received at S003.
    Right: S003 has them, incoming 0 at both; a discrepancy.
    """
    shirt = shop.item("SHIRT")
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 10)
        transfer = shop.sends_on(shirt, "S001", "S002", 4)
        shop.takes_in(transfer, 4, at="S003")
    stock = shop.stock(shirt)
    assert [stock.at(store).on_hand for store in ("S001", "S002", "S003")] == [6, 0, 4]
    assert [stock.at(store).incoming for store in ("S002", "S003")] == [0, 0]
    assert len(shop.discrepancies("misrouted", about=transfer.transfer)) == 1


@row("S11")
def test_s11_twelve_buyers_and_one_unit(shop: Shop) -> None:
    """S11. Given: 12 buyers, 1 unit. Right: one yes."""
    shirt = shop.item("SHIRT")
    shop.receives(shirt, "W1", 1)
    assert shop.shelf(shirt, "W1").available == 1
    answers = shop.reserves_at_once(12, shirt, "W1")
    assert sorted(hold.status for hold in answers) == [201, *[409] * 11]


@row("S12")
def test_s12_what_nobody_ends_is_free_by_its_time(shop: Shop) -> None:
    """S12. Given: reservation or hold that nobody ends. Right: free by its time."""
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "W1", 1)
    shop.sells(shop.item("SOCKS"), to=hanako)
    assert shop.points(hanako) == 10
    units = shop.reserves(shirt, "W1", seconds=HELD_SECONDS)
    points = shop.holds_points(hanako, 10, seconds=HELD_SECONDS)
    assert (units.status, points.status) == (201, 201)
    assert shop.shelf(shirt, "W1").available == 0
    assert shop.reserves(shirt, "W1").status == shop.holds_points(hanako, 10).status == 409
    shop.wait_until_over(units, points)
    assert shop.shelf(shirt, "W1").available == 1
    assert shop.reserves(shirt, "W1").status == shop.holds_points(hanako, 10).status == 201


@row("S13")
def test_s13_sales_from_before_a_count_and_after_it(shop: Shop) -> None:
    """S13. Given: count 5; a late sale from before it; a sale after it. Right: 4."""
    shirt = shop.item("SHIRT")
    hour_ago = shop.now() - timedelta(hours=1)
    shop.counts(shirt, "S001", 5)
    shop.sells(shirt, when=hour_ago)
    shop.sells(shirt)
    assert shop.shelf(shirt, "S001").on_hand == 4


@row("S14")
def test_s14_zones_are_counted_and_then_the_whole(shop: Shop) -> None:
    """S14. Given: zone SHELF counted 5, zone BACK counted 7; then a whole count of 11.
    Right: 12; 11 (a whole count resets the zones before it; movements without a zone hit the
    default selling zone).
    """
    shirt = shop.item("SHIRT")
    shop.counts(shirt, "S001", 5, zone="SHELF")
    shop.counts(shirt, "S001", 7, zone="BACK")
    assert shop.shelf(shirt, "S001").on_hand == 12
    shop.counts(shirt, "S001", 11)
    assert shop.shelf(shirt, "S001").on_hand == 11
    shop.sells(shirt)
    assert shop.shelf(shirt, "S001").on_hand == 10


@row("S14")
def test_s14_what_is_sold_leaves_the_zone_that_sells(shop: Shop) -> None:
    """S14. Given: S001 sells from SHELF; SHELF counted 5, BACK counted 7; 1 sold; BACK counted
    again, 7; SHELF counted again, 4.
    Right: 11, 11, 11 (movements without a zone hit the default selling zone).
    """
    shirt, store = shop.item("SHIRT"), shop.store(selling_zone="SHELF")
    shop.counts(shirt, store, 5, zone="SHELF")
    shop.counts(shirt, store, 7, zone="BACK")
    shop.sells(shirt, at=store)
    assert shop.shelf(shirt, store).on_hand == 11
    for zone, units in (("BACK", 7), ("SHELF", 4)):
        shop.counts(shirt, store, units, zone=zone)
        assert shop.shelf(shirt, store).on_hand == 11


@row("S15")
def test_s15_a_preorder_against_what_is_incoming(shop: Shop) -> None:
    """S15. Given: 100 incoming on a date, none on hand, preorder of 3.
    Right: promised against the date; on hand 0; shown as preorder.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    on = shop.now() + timedelta(days=30)
    shop.expects(shirt, "W1", 100, on=on, document="PO-1")
    order = shop.orders(line(shirt, 3, yen=3_000, expected_at=on), to=hanako)
    stock = shop.stock(shirt)
    shelf = stock.at("W1")
    assert (shelf.on_hand, shelf.incoming) == (0, 100)
    (cell,) = stock.answer["locations"]
    assert (cell["preordered"], cell["short"]) == (3, 0)
    assert shop.discrepancies(about=order) == []


@row("S16")
def test_s16_a_set_is_sold_and_comes_back(shop: Shop) -> None:
    """S16. Given: set of A and 2 B sold (components ride on the line), then the set returned.
    Right: A -1, B -2; back.
    """
    cup, spoon, gift = shop.item("CUP"), shop.item("SPOON"), shop.item("TEA-SET")
    for sku in (cup, spoon):
        shop.receives(sku, "S001", 10)
    of = [{"sku": cup, "quantity": 1}, {"sku": spoon, "quantity": 2}]
    sale = shop.sells(line(gift, components=of))
    assert [shop.shelf(sku, "S001").on_hand for sku in (cup, spoon, gift)] == [9, 8, 0]
    shop.returns(sale)
    assert [shop.shelf(sku, "S001").on_hand for sku in (cup, spoon, gift)] == [10, 10, 0]


@row("S17")
def test_s17_cheese_is_sold_by_weight(shop: Shop) -> None:
    """S17. Given: 0.354 kg sold of 10 kg. Right: 9.646 kg."""
    cheese, kilograms = shop.item("CHEESE"), {"unit": "kg", "scale": 3}
    shop.receives(cheese, "S001", 10_000, **kilograms)
    shop.sells(line(cheese, 354, yen=885, **kilograms))
    assert shop.shelf(cheese, "S001").on_hand == 9.646


@row("S18")
def test_s18_a_web_order_commits_its_units_by_itself(shop: Shop) -> None:
    """S18. Given: PurchaseCompleted, 5 x SHIP from W1, nothing else yet.
    Right: committed 5, available 0 of 5.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "W1", 5)
    shop.orders(line(shirt, 5, yen=5_000), to=hanako)
    assert figures(shop.shelf(shirt, "W1")) == (5, 5, 0)
