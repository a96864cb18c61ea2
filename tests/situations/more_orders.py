"""Rows of the tables in which every document may arrive before any other.

The same given and right as where the row is told step by step; here only the end is asked.
"""

from __future__ import annotations

from datetime import timedelta

from tests.situations.answers import Shop
from tests.situations.facts import NOT_RETURNED, back, line
from tests.situations.rows import arrivals, row


@row("C5")
@arrivals
def test_c5_a_void_without_a_profile_in_any_order(shop: Shop, arrival: str) -> None:
    """C5. Given: void without a profile. Right: 0 points."""
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 3)
        sale = shop.sells(shirt, to=hanako)
        shop.voids(sale)
    assert shop.points(hanako) == 0
    assert shop.suppressed(hanako, shirt) == []
    assert shop.shelf(shirt, "S001").on_hand == 3


@row("C6")
@arrivals
def test_c6_more_come_back_than_were_sold_in_any_order(shop: Shop, arrival: str) -> None:
    """C6. Given: return of 100 of 1 sold.
    Right: units beyond what was sold raise on hand and unavailable (available as before); points
    and list never below what was sold; a discrepancy.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 10)
        sale = shop.sells(shirt, to=hanako)
        shop.returns(sale, back(shirt, 100, refund=100_000))
    shelf = shop.shelf(shirt, "S001")
    assert (shelf.on_hand, shelf.unavailable, shelf.available) == (109, 99, 10)
    assert shop.points(hanako) == 0
    assert shop.bought(hanako, sale) == {1: (1, 1)}
    assert len(shop.discrepancies("over_return", about=sale)) == 1


@row("C8")
@arrivals
def test_c8_one_sale_under_two_event_ids_in_any_order(shop: Shop, arrival: str) -> None:
    """C8. Given: one sale under two event ids, same content, and its return of one of two.
    Right: once in stock, list, points.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 10)
        sale = shop.sells(line(shirt, 2, yen=2_000), to=hanako)
        shop.repeats(sale, receipt_number="printed again")
        shop.returns(sale, back(shirt, 1))
    assert shop.points(hanako) == 10
    assert shop.shelf(shirt, "S001").on_hand == 9
    assert shop.bought(hanako, sale) == {1: (2, 1)}
    assert len(shop.purchases(hanako)) == 1


@row("C12")
@arrivals
def test_c12_a_size_is_exchanged_in_any_order(shop: Shop, arrival: str) -> None:
    """C12. Given: exchange M -> L at another store on one receipt.
    Right: points of L, stock at the right stores, L suppressed, M not.
    """
    medium, large, hanako = shop.item("SHIRT-M"), shop.item("SHIRT-L"), shop.member()
    with shop.arriving(arrival):
        for sku, store in ((medium, "S001"), (large, "S002")):
            shop.receives(sku, store, 5)
        bought = shop.sells(line(medium, yen=1_000), to=hanako, at="S001")
        shop.returns(bought, at="S002", by=hanako)
        shop.sells(line(large, yen=1_200), to=hanako, at="S002")
    assert shop.points(hanako) == 12
    assert [shop.shelf(medium, store).on_hand for store in ("S001", "S002")] == [4, 1]
    assert shop.shelf(large, "S002").on_hand == 4
    assert shop.suppressed(hanako, medium, large) == [large]


@row("C3")
@arrivals
def test_c3_a_guests_sale_is_attributed_and_returned_in_any_order(shop: Shop, arrival: str) -> None:
    """C3. Given: guest sale of 2, attributed to a member, 1 comes back without the card.
    Right: points of 1; the list says 1 of 2 returned.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        sale = shop.sells(line(shirt, 2, yen=2_000))
        shop.attributes(sale, hanako)
        shop.returns(sale, back(shirt, 1))
    assert shop.points(hanako) == 10
    assert shop.bought(hanako, sale) == {1: (2, 1)}
    assert shop.suppressed(hanako, shirt) == [shirt]


@row("S8")
@arrivals
def test_s8_a_part_is_cancelled_in_any_order(shop: Shop, arrival: str) -> None:
    """S8. Given: 10 on hand; 3 ordered to ship; 1 cancelled before shipping with refund; 2 shipped;
    1 of them comes back. Right: on hand 9, nothing committed, available 9; points of 1.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 10)
        order = shop.orders(line(shirt, 3, yen=3_000), to=hanako)
        shop.allocates(order, shirt, "W1", 3)
        shop.cancels(order, shirt, 1, refund=1_000)
        shop.ships(order, shirt, "W1", 2)
        shop.returns(order, back(shirt, 1), at="W1")
    shelf = shop.shelf(shirt, "W1")
    assert (shelf.on_hand, shelf.committed, shelf.available) == (9, 0, 9)
    assert shop.points(hanako) == 10


@row("S9")
@arrivals
def test_s9_units_and_money_come_back_apart_in_any_order(shop: Shop, arrival: str) -> None:
    """S9. Given: of 3 sold 1 is refunded without the goods, 1 comes back.
    Right: on hand 5 - 3 + 1; points of 1; the list says 1 returned, 2 refunded.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 5)
        sale = shop.sells(line(shirt, 3, yen=3_000), to=hanako)
        shop.returns(sale, back(shirt, 1), disposition=NOT_RETURNED)
        shop.returns(sale, back(shirt, 1))
    assert shop.shelf(shirt, "S001").on_hand == 3
    assert shop.points(hanako) == 10
    assert shop.discrepancies(about=sale) == []


@row("S13")
@arrivals
def test_s13_sales_around_a_count_in_any_order(shop: Shop, arrival: str) -> None:
    """S13. Given: count 5; a late sale from before it; a sale after it. Right: 4."""
    shirt = shop.item("SHIRT")
    hour_ago = shop.now() - timedelta(hours=1)
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 20, when=hour_ago - timedelta(hours=1))
        shop.sells(shirt, when=hour_ago)
        shop.counts(shirt, "S001", 5)
        shop.sells(shirt)
    assert shop.shelf(shirt, "S001").on_hand == 4


@row("S14")
@arrivals
def test_s14_zones_and_the_whole_are_counted_in_any_order(shop: Shop, arrival: str) -> None:
    """S14. Given: zone SHELF counted 5, BACK 7; a whole count of 11; 1 sold. Right: 10."""
    shirt = shop.item("SHIRT")
    with shop.arriving(arrival):
        shop.counts(shirt, "S001", 5, zone="SHELF")
        shop.counts(shirt, "S001", 7, zone="BACK")
        shop.counts(shirt, "S001", 11)
        shop.sells(shirt)
    assert shop.shelf(shirt, "S001").on_hand == 10


@row("S15")
@arrivals
def test_s15_a_preorder_and_its_delivery_in_any_order(shop: Shop, arrival: str) -> None:
    """S15. Given: 100 incoming on a date, none on hand, preorder of 3.
    Right: promised against the date; on hand 0; shown as preorder.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    on = shop.now() + timedelta(days=30)
    with shop.arriving(arrival):
        shop.expects(shirt, "W1", 100, on=on, document="PO-1")
        order = shop.orders(line(shirt, 3, yen=3_000, expected_at=on), to=hanako)
    (cell,) = shop.stock(shirt).answer["locations"]
    assert (cell["on_hand"], cell["incoming"]) == (0, 100)
    assert (cell["preordered"], cell["short"]) == (3, 0)
    assert shop.discrepancies(about=order) == []


@row("S16")
@arrivals
def test_s16_a_set_is_sold_and_comes_back_in_any_order(shop: Shop, arrival: str) -> None:
    """S16. Given: 2 sets of A and 2 B sold, one set returned. Right: A 9 of 10, B 8 of 10."""
    cup, spoon, gift = shop.item("CUP"), shop.item("SPOON"), shop.item("TEA-SET")
    of = [{"sku": cup, "quantity": 1}, {"sku": spoon, "quantity": 2}]
    with shop.arriving(arrival):
        for sku in (cup, spoon):
            shop.receives(sku, "S001", 10)
        sale = shop.sells(line(gift, 2, yen=2_000, components=of))
        shop.returns(sale, back(gift, 1))
    assert [shop.shelf(sku, "S001").on_hand for sku in (cup, spoon, gift)] == [9, 8, 0]


@row("P5")
@arrivals
def test_p5_an_inquiry_is_attributed_in_any_order(shop: Shop, arrival: str) -> None:
    """P5. Given: inquiry opened for A, moved to B. Right: B's, everywhere."""
    a, b = shop.member(), shop.member()
    with shop.arriving(arrival):
        inquiry = shop.inquires(a)
        shop.writes(inquiry, a)
        shop.tell(
            "InquiryAttributed", "CALL_CENTRE", inquiry_id=inquiry, from_profile_id=a,
            profile_id=b, attributed_by="staff",
        )  # fmt: skip
    assert shop.inquiry(inquiry)["inquiry"]["profile_id"] == str(b)
    assert (shop.inquiries(a), shop.inquiries(b)) == ([], [inquiry])


@row("P6")
@arrivals
def test_p6_messages_around_closing_and_merging_in_any_order(shop: Shop, arrival: str) -> None:
    """P6. Given: message after closing; inquiry merged into another.
    Right: reopened; one conversation.
    """
    hanako = shop.member()
    with shop.arriving(arrival):
        first, second = shop.inquires(hanako), shop.inquires(hanako)
        shop.closes(first, hanako)
        shop.writes(first, hanako)
        shop.writes(second, hanako)
        shop.tell(
            "InquiryMerged", "CALL_CENTRE", inquiry_id=second, into_inquiry_id=first,
            profile_id=hanako, merged_by="staff",
        )  # fmt: skip
    for inquiry in (first, second):
        found = shop.inquiry(inquiry)
        assert found["inquiry"]["closed_at"] is None
        assert len(found["conversation"]) == 4
    assert shop.inquiries(hanako) == [first]
