"""Rows of the table Corrections: returns, voids, doubled sales and claims.

1 point per 100 yen. What does not fit is taken all the same, and is a discrepancy until somebody
settles it.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.situations.answers import Shop
from tests.situations.facts import BACKWARDS, RIGHT, WRONG, back, line
from tests.situations.rows import arrivals, row

TOGETHER, APART, RETURN_FIRST, SALE_LATE = "together", "apart", "return first", "sale late"


@row("C1")
def test_c1_a_whole_return_without_the_card_takes_the_points_back(shop: Shop) -> None:
    """C1. Given: sale of 1,000 with card; whole return of it, same transaction, no profile.
    Right: points 0, returned 1, item not suppressed.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    sale = shop.sells(shirt, to=hanako)
    assert shop.points(hanako) == 10
    assert shop.suppressed(hanako, shirt) == [shirt]
    shop.returns(sale)
    assert shop.points(hanako) == 0
    assert shop.bought(hanako, sale) == {1: (1, 1)}
    assert shop.suppressed(hanako, shirt) == []


@row("C2")
@pytest.mark.parametrize("order", [TOGETHER, APART, RETURN_FIRST, SALE_LATE])
def test_c2_it_does_not_matter_when_sale_and_return_arrive(shop: Shop, order: str) -> None:
    """C2. Given: C1 sent in one request / 3 s apart / return first / sale an hour late.
    Right: the same four times.
    """
    shirt, hanako, transaction = shop.item("SHIRT"), shop.member(), uuid4()
    shop.receives(shirt, "S001", 5)
    hour_ago = shop.now() - timedelta(hours=1)
    if order == TOGETHER:
        with shop.one_request():
            sale = shop.sells(shirt, to=hanako)
            shop.returns(sale)
    elif order == APART:
        sale = shop.sells(shirt, to=hanako)
        shop.settle()
        shop.returns(sale)
    else:
        shop.returns(transaction, back(shirt))
        shop.settle()
        when = hour_ago if order == SALE_LATE else None
        sale = shop.sells(shirt, to=hanako, transaction_id=transaction, when=when)
    assert shop.points(hanako) == 0
    assert shop.bought(hanako, sale) == {1: (1, 1)}
    assert shop.suppressed(hanako, shirt) == []
    assert shop.shelf(shirt, "S001").on_hand == 5
    assert shop.discrepancies(about=sale) == []


@row("C3")
def test_c3_bought_with_the_account_and_returned_with_the_card(shop: Shop) -> None:
    """C3. Given: bought under the web account, returned under the store card of the same member.
    Right: points 0; list says returned.
    """
    shirt, card = shop.item("SHIRT"), shop.member()
    account = shop.account_of(card)
    sale = shop.sells(shirt, to=account, channel="EC")
    assert shop.points(card) == 10
    shop.returns(sale, by=card)
    assert shop.points(card) == shop.points(account) == 0
    assert shop.bought(card, sale) == {1: (1, 1)}
    assert shop.suppressed(card, shirt) == []


@row("C4")
@arrivals
@pytest.mark.parametrize("with_card", [True, False], ids=["other card", "no card"])
def test_c4_one_of_two_comes_back_in_the_same_request(
    shop: Shop, with_card: bool, arrival: str
) -> None:
    """C4. Given: sale of 2 and such a return of 1 in one request.
    Right: points of 1 kept; sale never loses its own points.
    """
    shirt, card = shop.item("SHIRT"), shop.member()
    account = shop.account_of(card)
    with shop.one_request(backwards=arrival == BACKWARDS):
        sale = shop.sells(line(shirt, 2, yen=2_000), to=account, channel="EC")
        shop.returns(sale, back(shirt), by=card if with_card else None)
    assert shop.points(card) == 10
    assert shop.bought(card, sale) == {1: (2, 1)}
    assert shop.suppressed(card, shirt) == [shirt]


@row("C5")
def test_c5_a_void_without_a_profile(shop: Shop) -> None:
    """C5. Given: void without a profile. Right: 0 points."""
    shirt, hanako = shop.item("SHIRT"), shop.member()
    sale = shop.sells(shirt, to=hanako)
    assert shop.points(hanako) == 10
    shop.voids(sale)
    assert shop.points(hanako) == 0
    assert shop.suppressed(hanako, shirt) == []


@row("C6")
def test_c6_a_hundred_come_back_of_one_sold(shop: Shop) -> None:
    """C6. Given: return of 100 of 1 sold.
    Right: units beyond what was sold raise on hand and unavailable (available as before) until
    settled; points and list never below what was sold; a discrepancy.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "S001", 10)
    sale = shop.sells(shirt, to=hanako)
    shop.returns(sale, back(shirt, 100, refund=100_000))
    shelf = shop.shelf(shirt, "S001")
    assert (shelf.on_hand, shelf.unavailable, shelf.available) == (109, 99, 10)
    assert shop.points(hanako) == 0
    assert shop.bought(hanako, sale) == {1: (1, 1)}
    (found,) = shop.discrepancies("over_return", about=sale)
    assert shop.settles(found, WRONG).status_code == 201
    assert shop.discrepancies(about=sale) == []
    (settled,) = shop.discrepancies(about=sale, settled="true")
    assert settled["settled_by"]["actor"] == "auditor"
    shelf = shop.shelf(shirt, "S001")
    assert (shelf.on_hand, shelf.unavailable, shelf.available) == (10, 0, 10)
    assert shop.settles(found, RIGHT).json()["type"] == "/problems/discrepancy-settled"


@row("C6")
def test_c6_a_line_comes_back_that_the_receipt_never_had(shop: Shop) -> None:
    """C6. Given: return of a line the receipt never had.
    Right: its units raise on hand and unavailable alike; points and list as before; a discrepancy.
    """
    shirt, socks, hanako = shop.item("SHIRT"), shop.item("SOCKS"), shop.member()
    shop.receives(socks, "S001", 10)
    sale = shop.sells(shirt, to=hanako)
    shop.returns(sale, back(socks, 1, number=2))
    shelf = shop.shelf(socks, "S001")
    assert (shelf.on_hand, shelf.unavailable, shelf.available) == (11, 1, 10)
    assert shop.points(hanako) == 10
    assert shop.bought(hanako, sale) == {1: (1, 0)}
    assert len(shop.discrepancies("unknown_line", about=sale)) == 1


@row("C6")
def test_c6_goods_of_an_unknown_receipt_come_back(shop: Shop) -> None:
    """C6. Given: return of an unknown receipt.
    Right: its units raise on hand and unavailable alike; nobody's points; a discrepancy.
    """
    shirt, hanako, unknown = shop.item("SHIRT"), shop.member(), uuid4()
    shop.receives(shirt, "S001", 10)
    shop.returns(unknown, back(shirt), by=hanako)
    shelf = shop.shelf(shirt, "S001")
    assert (shelf.on_hand, shelf.unavailable, shelf.available) == (11, 1, 10)
    (found,) = shop.discrepancies("unknown_sale", about=unknown)
    shop.settles(found, RIGHT)
    assert shop.discrepancies(about=unknown) == []
    shelf = shop.shelf(shirt, "S001")
    assert (shelf.on_hand, shelf.unavailable, shelf.available) == (11, 0, 11)
    shop.sells(shirt, to=hanako)
    assert shop.points(hanako) == 10


@row("C7")
@arrivals
def test_c7_a_return_told_twice_and_then_a_void(shop: Shop, arrival: str) -> None:
    """C7. Given: return of one unit told twice under two document ids, then the sale voided.
    Right: available as before the sale, 1 unavailable, returned 1 of 1, a discrepancy for the
    second and for the void.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 10)
        sale = shop.sells(shirt, to=hanako)
        shop.returns(sale, document_id="R-1")
        second = shop.returns(sale, document_id="R-2")
        void = shop.voids(sale)
    shelf = shop.shelf(shirt, "S001")
    assert (shelf.available, shelf.unavailable, shelf.on_hand) == (10, 1, 11)
    assert shop.bought(hanako, sale) == {1: (1, 1)}
    assert shop.points(hanako) == 0
    assert len(shop.discrepancies(about=second)) == 1
    assert len(shop.discrepancies(about=void)) == 1


@row("C8")
@pytest.mark.parametrize("order", [TOGETHER, APART])
def test_c8_one_sale_under_two_event_ids(shop: Shop, order: str) -> None:
    """C8. Given: one sale under two event ids, same content.
    Right: once in stock, list, points; counted as duplicate.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "S001", 10)
    if order == TOGETHER:
        with shop.one_request():
            sale = shop.sells(shirt, to=hanako)
            again = shop.repeats(sale, receipt_number="printed again")
    else:
        sale = shop.sells(shirt, to=hanako)
        assert shop.points(hanako) == 10
        again = shop.repeats(sale, receipt_number="printed again")
    assert shop.points(hanako) == 10
    assert shop.shelf(shirt, "S001").on_hand == 9
    assert shop.bought(hanako, sale) == {1: (1, 0)}
    assert len(shop.purchases(hanako)) == 1
    assert shop.became(again) == shop.became(sale.event) == "applied"


@row("C8")
def test_c8_told_again_with_another_card(shop: Shop) -> None:
    """C8. Given: one sale under two event ids, the second names another customer.
    Right: once in stock, list, points, and the first customer's; a discrepancy until settled.
    """
    shirt, hanako, taro = shop.item("SHIRT"), shop.member(), shop.member()
    shop.receives(shirt, "S001", 10)
    sale = shop.sells(shirt, to=hanako)
    again = shop.repeats(sale, profile_id=taro)
    assert shop.shelf(shirt, "S001").on_hand == 9
    assert (shop.points(hanako), shop.bought(hanako, sale)) == (10, {1: (1, 0)})
    (found,) = shop.discrepancies("owner_differs", about=sale)
    assert found["events"] == [again["meta"]["event_id"]]
    assert shop.settles(found, RIGHT).json()["type"] == "/problems/discrepancy-lasts"
    assert shop.settles(found, WRONG).status_code == 201
    assert shop.discrepancies(about=sale) == []
    # a guest's sale that is told again with a card can be claimed for it
    guest = shop.sells(shirt)
    shop.repeats(guest, profile_id=taro)
    assert len(shop.discrepancies("owner_differs", about=guest)) == 1
    assert shop.claims(guest, taro).status_code == 201
    shop.until(lambda: shop.discrepancies(about=guest) == [])


@row("C9")
@pytest.mark.parametrize("changed", ["currency", "total", "lines"])
def test_c9_the_same_transaction_with_other_content(shop: Shop, changed: str) -> None:
    """C9. Given: the same transaction, other content (currency, total, or the multiset of sku,
    quantity, net paid). Right: the first offset stands; conflict in the dead letters.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "S001", 10)
    sale = shop.sells(shirt, to=hanako)
    other = {"currency": "USD", "total": 900, "lines": [line(shirt, 2) | {"line_no": 1}]}
    again = shop.repeats(sale, **{changed: other[changed]})
    assert shop.points(hanako) == 10
    assert shop.shelf(shirt, "S001").on_hand == 9
    assert shop.bought(hanako, sale) == {1: (1, 0)}
    assert (shop.became(sale.event), shop.became(again)) == ("applied", "conflict")


@row("C10")
def test_c10_points_that_were_spent_before_their_goods_came_back(shop: Shop) -> None:
    """C10. Given: 1,091 earned and spent on a second order; first order returned; next order earns
    1,200; second order returned, its 1,091 spent points come back.
    Right: -1,091, a hold is refused; 109; 1,200.
    """
    coat, hat, hanako = shop.item("COAT"), shop.item("HAT"), shop.member()
    first = shop.sells(line(coat, yen=109_100), to=hanako)
    assert shop.points(hanako) == 1_091
    second = shop.sells(
        line(hat, yen=1_091), to=hanako, tenders=[{"kind": "POINTS", "amount": 1_091}]
    )
    shop.settle()
    shop.spends_points(hanako, 1_091, on=second.transaction)
    assert shop.points(hanako) == 0
    shop.returns(first, by=hanako)
    assert shop.points(hanako) == -1_091
    assert shop.holds_points(hanako, 1).status == 409
    shop.sells(line(coat, yen=120_000), to=hanako)
    assert shop.points(hanako) == 109
    shop.returns(second, by=hanako)
    assert shop.points(hanako) == 1_200


@row("C11")
def test_c11_a_sale_paid_in_points_that_comes_back_twice(shop: Shop) -> None:
    """C11. Given: balance 1,000; 300 paid in points; returned; returned again; voided.
    Right: 700; 1,000; 1,000; 1,000.
    """
    coat, hat, hanako = shop.item("COAT"), shop.item("HAT"), shop.member()
    shop.sells(line(coat, yen=100_000), to=hanako)
    assert shop.points(hanako) == 1_000
    sale = shop.sells(line(hat, yen=300), to=hanako, tenders=[{"kind": "POINTS", "amount": 300}])
    shop.settle()
    shop.spends_points(hanako, 300, on=sale.transaction)
    assert shop.points(hanako) == 700
    shop.returns(sale, by=hanako)
    assert shop.points(hanako) == 1_000
    shop.returns(sale, by=hanako)
    assert shop.points(hanako) == 1_000
    shop.voids(sale, by=hanako)
    assert shop.points(hanako) == 1_000


@row("C12")
def test_c12_a_size_is_exchanged_at_another_store(shop: Shop) -> None:
    """C12. Given: exchange M -> L at another store on one receipt.
    Right: points of L, stock at the right stores, L suppressed, M not.
    """
    medium, large, hanako = shop.item("SHIRT-M"), shop.item("SHIRT-L"), shop.member()
    for sku, store in ((medium, "S001"), (large, "S002")):
        shop.receives(sku, store, 5)
    bought = shop.sells(line(medium, yen=1_000), to=hanako, at="S001")
    with shop.one_request():
        shop.returns(bought, at="S002", by=hanako)
        shop.sells(line(large, yen=1_200), to=hanako, at="S002")
    assert shop.points(hanako) == 12
    assert shop.shelf(medium, "S001").on_hand == 4
    assert shop.shelf(medium, "S002").on_hand == 1
    assert shop.shelf(large, "S002").on_hand == 4
    assert shop.suppressed(hanako, medium, large) == [large]


@row("C13")
def test_c13_two_members_ask_for_one_guest_receipt(shop: Shop) -> None:
    """C13. Given: guest receipt claimed by member 1, then by member 2.
    Right: the first claim keeps it; the second is 409 when asked.
    """
    shirt, hanako, taro = shop.item("SHIRT"), shop.member(), shop.member()
    sale = shop.sells(shirt)
    shop.settle()
    assert shop.claims(sale, hanako).status_code < 300
    refused = shop.claims(sale, taro)
    assert (refused.status_code, bool(refused.json()["detail"])) == (409, True)


@row("C13")
def test_c13_two_members_ask_for_one_guest_receipt_at_the_same_moment(shop: Shop) -> None:
    """C13. Given: guest receipt claimed by two members at two tills at once.
    Right: one of them gets it; the other is 409 with the reason.
    """
    shirt, hanako, taro = shop.item("SHIRT"), shop.member(), shop.member()
    sale = shop.sells(shirt)
    shop.settle()
    answers = dict(zip((hanako, taro), shop.claim_at_once(sale, hanako, taro), strict=True))
    (winner,) = (member for member, answer in answers.items() if answer.status_code < 300)
    (loser,) = {hanako, taro} - {winner}
    assert (answers[loser].status_code, bool(answers[loser].json()["detail"])) == (409, True)
    claim = f"event:{answers[winner].json()['event_id']}"
    shop.wire.ask(f"/v1/members/{winner}/purchases", min_position=claim)
    assert sale.transaction in shop.purchases(winner)
    assert sale.transaction not in shop.purchases(loser)
    assert shop.discrepancies(about=sale) == []


@row("C13")
@pytest.mark.parametrize("order", [TOGETHER, APART])
def test_c13_two_tills_give_one_guest_receipt_to_two_members(shop: Shop, order: str) -> None:
    """C13. Given: guest receipt claimed by member 1, then by member 2, told as facts.
    Right: first claim by offset keeps it; a discrepancy.
    """
    shirt, hanako, taro = shop.item("SHIRT"), shop.member(), shop.member()
    sale = shop.sells(shirt)
    if order == TOGETHER:
        with shop.one_request():
            shop.attributes(sale, hanako)
            shop.attributes(sale, taro)
    else:
        shop.attributes(sale, hanako)
        shop.settle()
        shop.attributes(sale, taro)
    shop.sells(shop.item("SOCKS"), to=taro)
    assert (shop.points(hanako), shop.points(taro)) == (10, 10)
    assert sale.transaction in shop.purchases(hanako)
    assert sale.transaction not in shop.purchases(taro)
    assert shop.suppressed(taro, shirt) == []
    assert len(shop.discrepancies("second_claim", about=sale)) == 1
    page = shop.wire.ask(f"/v1/purchases/{sale.transaction}")
    assert [one["kind"] for one in page["discrepancies"]] == ["second_claim"]


@row("C14")
def test_c14_a_claim_of_a_sale_that_has_an_owner(shop: Shop) -> None:
    """C14. Given: claim of a sale that has an owner.
    Right: 409 with the reason when asked; a discrepancy when told as a fact.
    """
    shirt, hanako, taro = shop.item("SHIRT"), shop.member(), shop.member()
    sale = shop.sells(shirt, to=hanako)
    shop.attributes(sale, taro)
    assert shop.points(hanako) == 10
    assert sale.transaction in shop.purchases(hanako)
    assert sale.transaction not in shop.purchases(taro)
    assert len(shop.discrepancies(about=sale)) == 1
    refused = shop.claims(sale, taro)
    assert (refused.status_code, bool(refused.json()["detail"])) == (409, True)
