"""What is sold by weight, in all that may happen to it (row S17 of the table Stock)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from tests.situations.answers import Shop
from tests.situations.facts import BACK_IN_STOCK, back, line
from tests.situations.rows import arrivals, row

GRAMS, TENS = {"unit": "kg", "scale": 3}, {"unit": "kg", "scale": 2}
HUNDREDS, WHOLE = {"unit": "KG", "scale": 1}, {"unit": "kg", "scale": 0}
AMOUNTS = ("on_hand", "committed", "reserved", "unavailable", "incoming", "available")


def cells(shop: Shop, sku: str, at: str) -> dict[str | None, tuple[float, ...]]:
    """By unit (None: pieces) on hand, committed, reserved, unavailable, incoming, available."""
    return {
        cell.get("unit"): tuple(cell[name] for name in AMOUNTS)
        for cell in shop.stock(sku).answer["locations"]
        if cell["location_id"] == at
    }


@row("S17")
@arrivals
def test_s17_two_tills_with_other_scales_sell_and_take_back(shop: Shop, arrival: str) -> None:
    """S17. Given: 10 kg received; one till sells 0.354 kg with three decimals, another 0.35 kg with
    two, of which 0.10 kg comes back and is fit for sale.
    Right: on hand 9.396 kg; the list says 0.35 and 0.1 returned; the rest keeps its points.
    """
    cheese, hanako = shop.item("CHEESE", category="food"), shop.member()
    with shop.arriving(arrival):
        shop.receives(cheese, "S001", 10, **WHOLE)
        shop.sells(line(cheese, 354, yen=885, **GRAMS))
        sale = shop.sells(line(cheese, 35, yen=700, **TENS), to=hanako)
        shop.returns(
            sale, back(cheese, 100, refund=200, **GRAMS), disposition=BACK_IN_STOCK, by=hanako
        )
    assert cells(shop, cheese, "S001") == {"kg": (9.396, 0, 0, 0, 0, 9.396)}
    (bought,) = shop.purchases(hanako)[sale.transaction]["lines"]
    assert (bought["quantity"], bought["unit"], bought["returned"]) == (0.35, "kg", 0.1)
    (shown,) = shop.wire.ask(f"/v1/purchases/{sale.transaction}")["lines"]
    assert (shown["quantity"], shown["unit"], shown["returned"]) == (0.35, "kg", 0.1)
    assert shop.points(hanako) == 5  # of 7, as 2 of 7 parts came back
    assert shop.discrepancies(about=cheese) == []


@row("S17")
@arrivals
def test_s17_a_web_order_by_weight_lives_its_life(shop: Shop, arrival: str) -> None:
    """S17. Given: 10 kg at W1; an order of 1.5 kg to be shipped; 1.5 kg allocated; 1.2 kg shipped;
    0.3 kg cancelled, then 0.3 kg released.
    Right: on hand 8.8, nothing committed, no discrepancy.
    """
    cheese, hanako = shop.item("CHEESE"), shop.member()
    with shop.arriving(arrival):
        shop.receives(cheese, "W1", 10_000, **GRAMS)
        order = shop.orders(line(cheese, 15, yen=3_000, **HUNDREDS), to=hanako)
        shop.allocates(order, cheese, "W1", 150, **TENS)
        shop.ships(order, cheese, "W1", 1_200, **GRAMS)
        shop.cancels(order, cheese, 3, refund=600, **HUNDREDS)
        shop.releases(order, cheese, "W1", 30, **TENS)
    assert cells(shop, cheese, "W1") == {"kg": (8.8, 0, 0, 0, 0, 8.8)}
    assert shop.discrepancies(about=cheese) == []


@row("S17")
@arrivals
def test_s17_weight_is_counted_and_sent_on(shop: Shop, arrival: str) -> None:
    """S17. Given: 5.25 kg counted at S001; 2.5 kg sent to S002, where 2.45 kg arrive and 0.05 kg
    are lost; 0.2 kg of it damaged; 0.125 kg gone at S001.
    Right: S001 2.625 kg; S002 2.45 kg, 0.2 of it unavailable, nothing incoming; the movements say
    the same.
    """
    cheese = shop.item("CHEESE")
    with shop.arriving(arrival):
        shop.counts(cheese, "S001", 525, **TENS)
        moved = shop.sends_on(cheese, "S001", "S002", 25, **HUNDREDS)
        shop.takes_in(moved, 2_450, lost=50, **GRAMS)
        shop.adjusts(cheese, "S001", -125, **GRAMS)
        shop.tell(
            "StockStateChanged", "STORE", "S002", sku=cheese, location_id="S002", quantity=2,
            from_state="SELLABLE", to_state="DAMAGED", **HUNDREDS,
        )  # fmt: skip
    assert cells(shop, cheese, "S001") == {"kg": (2.625, 0, 0, 0, 0, 2.625)}
    assert cells(shop, cheese, "S002") == {"kg": (2.45, 0, 0, 0.2, 0, 2.25)}
    then = shop.wire.ask(f"/v1/stock/{cheese}", as_of=shop.now().isoformat())["locations"]
    assert {cell["location_id"]: cell["available"] for cell in then} == {
        "S001": 2.625,
        "S002": 2.25,
    }
    told = shop.wire.ask(f"/v1/stock/{cheese}/movements", location_id="S001")
    assert (told["unit"], told["on_hand"], told["moved_since_base"]) == ("kg", 2.625, -2.625)
    assert told["base"]["counted"] == 5.25
    assert shop.discrepancies(about=cheese) == []


@row("S17")
def test_s17_weight_is_reserved_and_committed(shop: Shop) -> None:
    """S17. Given: 9.646 kg at W1; 9.7 kg asked for; 9.6 kg reserved and committed to an order,
    which is shipped.
    Right: 9.7 kg are refused; then 0.046 kg are available, reserved first, then committed, then
    shipped.
    """
    cheese, order = shop.item("CHEESE"), uuid4()
    shop.receives(cheese, "W1", 9_646, **GRAMS)
    assert cells(shop, cheese, "W1") == {"kg": (9.646, 0, 0, 0, 0, 9.646)}
    assert shop.reserves(cheese, "W1", 97, **HUNDREDS).status == 409
    assert shop.reserves(cheese, "W1", 1).status == 409  # nothing is there in pieces
    hold = shop.reserves(cheese, "W1", 960, **TENS)
    assert hold.status == 201
    assert cells(shop, cheese, "W1") == {"kg": (9.646, 0, 9.6, 0, 0, 0.046)}
    held = shop.wire.state(f"/v1/stock/reservations/{hold.id}")["lines"]
    assert held == [{"sku": cheese, "location_id": "W1", "quantity": 9.6, "unit": "kg"}]
    assert shop.commits(hold, order) == 200
    assert cells(shop, cheese, "W1")["kg"][-1] == 0.046
    shop.ships(order, cheese, "W1", 9_600, **GRAMS)
    assert cells(shop, cheese, "W1") == {"kg": (0.046, 0, 0, 0, 0, 0.046)}
    assert shop.discrepancies(about=order) == []


@row("S17")
def test_s17_weight_is_promised_without_a_location_and_then_missing(shop: Shop) -> None:
    """S17. Given: 5 kg and 7 pieces at W1; 4 kg reserved for an order without a location; 2 kg
    are found to be gone.
    Right: 1 kg may be promised, then none; 1 kg is short because of what is gone; W1 cannot serve
    the order; nothing of it concerns the pieces.
    """
    cheese, order = shop.item("CHEESE"), uuid4()
    shop.receives(cheese, "W1", 50, **HUNDREDS)
    shop.receives(cheese, "W1", 7)
    assert set(cells(shop, cheese, "W1")) == {None, "kg"}
    hold = shop.reserves(cheese, "", 40, **HUNDREDS)
    assert hold.status == 201
    (by_weight,) = shop.stock(cheese).answer["other_units"]
    assert by_weight == {"unit": "kg", "online_atp": 1, "unplaced": 4, "short": 0}
    shop.adjusts(cheese, "W1", -200, **TENS)
    answer = shop.stock(cheese).answer
    assert answer["other_units"] == [{"unit": "kg", "online_atp": 0, "unplaced": 4, "short": 1}]
    assert (answer["online_atp"], answer["short"]) == (7, 0)
    every = shop.wire.ask("/v1/stock-shortages", limit=500)
    (short,) = [one for one in every if one["sku"] == cheese]
    assert (short["location_id"], short["unit"], short["short"]) == ("", "kg", 1)
    assert [cause["units"] for cause in short["causes"]] == [1]
    assert shop.commits(hold, order, at="W1") == 409
    assert shop.reserves(cheese, "W1", 8).status == 409
    assert shop.reserves(cheese, "W1", 7).status == 201


@row("S17")
@arrivals
def test_s17_what_was_counted_in_pieces_is_sold_by_weight(shop: Shop, arrival: str) -> None:
    """S17. Given: 10 pieces received, told once with a word for pieces; 0.354 kg sold; a piece
    comes back of it.
    Right: 10 pieces are there and may be promised, the one that came back is not; -0.354 kg and
    a discrepancy for it; another for the piece, because none was sold.
    """
    cheese = shop.item("CHEESE")
    with shop.arriving(arrival):
        shop.receives(cheese, "S001", 6)
        shop.receives(cheese, "S001", 4, unit="PCS")
        sale = shop.sells(line(cheese, 354, yen=885, **GRAMS))
        shop.returns(sale, back(cheese, 1, refund=885))
    found = cells(shop, cheese, "S001")
    assert found == {None: (11, 0, 0, 1, 0, 10), "kg": (-0.354, 0, 0, 0, 0, -0.354)}
    (short,) = shop.discrepancies("negative_stock", about=cheese)
    assert (short["quantity"], short["unit"], short["location_id"]) == (0.354, "kg", "S001")
    (odd,) = shop.discrepancies("unknown_line", about=sale)
    assert odd["quantity"] == 1 and "unit" not in odd
    assert shop.stock(cheese).answer["online_atp"] == 10
    assert [one["unit"] for one in shop.stock(cheese).answer["other_units"]] == ["kg"]


@row("S17")
@arrivals
def test_s17_a_set_has_cheese_in_it(shop: Shop, arrival: str) -> None:
    """S17. Given: 10 kg and 5 knives; 2 sets of 0.2 kg and a knife sold; one set comes back.
    Right: 9.8 kg and 4 knives.
    """
    cheese, knife, gift = shop.item("CHEESE"), shop.item("KNIFE"), shop.item("CHEESE-SET")
    of = [{"sku": cheese, "quantity": 20, **TENS}, {"sku": knife, "quantity": 1}]
    with shop.arriving(arrival):
        shop.receives(cheese, "S001", 10, **WHOLE)
        shop.receives(knife, "S001", 5)
        sale = shop.sells(line(gift, 2, yen=4_000, components=of))
        shop.returns(sale, back(gift, 1, refund=2_000))
    assert cells(shop, cheese, "S001") == {"kg": (9.8, 0, 0, 0, 0, 9.8)}
    assert cells(shop, knife, "S001") == {None: (4, 0, 0, 0, 0, 4)}


@row("S17")
def test_s17_a_sale_by_weight_is_told_again_in_another_scale(shop: Shop) -> None:
    """S17. Given: 10 kg; 0.350 kg sold; told again under other ids as 0.35 kg, and as 3.50 kg.
    Right: 9.65 kg; the first repetition is a duplicate, the other a conflict.
    """
    cheese = shop.item("CHEESE")
    shop.receives(cheese, "S001", 10, **WHOLE)
    sale = shop.sells(line(cheese, 350, yen=875, **GRAMS))
    same: list[dict[str, Any]] = [sale.lines[0] | {"quantity": 35} | TENS]
    again = shop.repeats(sale, lines=same)
    other = shop.repeats(sale, lines=[sale.lines[0] | TENS])
    assert cells(shop, cheese, "S001")["kg"][0] == 9.65
    assert shop.became(again) != "conflict"
    assert shop.became(other) == "conflict"


@row("S17")
def test_s17_what_is_sold_by_the_piece_is_answered_as_before(shop: Shop) -> None:
    """S17. Given: a shirt, received 10, sold 1. Right: whole numbers, and no word of units."""
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "S001", 10)
    sale = shop.sells(shirt, to=hanako)
    assert shop.shelf(shirt, "S001").on_hand == 9
    paths = [f"/v1/stock/{shirt}", f"/v1/purchases/{sale.transaction}"]
    paths += [f"/v1/stock/{shirt}/movements?location_id=S001", f"/v1/members/{hanako}/purchases"]
    for path in paths:
        text = shop.wire.get(path).text
        assert '"unit"' not in text and '"other_units"' not in text, path
    assert '"on_hand":9,' in shop.wire.get(f"/v1/stock/{shirt}").text


@row("S17")
@arrivals
def test_s17_weight_is_announced_and_preordered(shop: Shop, arrival: str) -> None:
    """S17. Given: 10 kg announced for a date, then 12.5 kg; an order of 2.25 kg for then; 3 kg
    arrive, and 4 pieces that the announcement does not have.
    Right: 9.5 kg incoming, of which 7.25 kg can still be preordered; nothing is short, 3 kg can be
    sold now; the pieces are there and are over_received, the weight is not.
    """
    cheese, order = shop.item("CHEESE"), f"PO-{uuid4().hex[:8]}"
    on = shop.now() + timedelta(days=30)
    shop.expects(cheese, "W1", 100, on=on, document=order, **HUNDREDS)
    with shop.arriving(arrival):
        shop.expects(cheese, "W1", 1_250, on=on, document=order, **TENS)
        shop.orders(line(cheese, 225, yen=4_500, expected_at=on, **TENS), to=shop.member())
        shop.receives(cheese, "W1", 3, document_id=order, document_line=1, **WHOLE)
        shop.receives(cheese, "W1", 4, reference=order)
    assert cells(shop, cheese, "W1") == {
        None: (4, 0, 0, 0, 0, 4), "kg": (3, 2.25, 0, 0, 9.5, 3),
    }  # fmt: skip
    answer = shop.stock(cheese).answer
    (expected,) = answer["expected"]
    assert expected["unit"] == "kg"
    assert [expected[name] for name in ("incoming", "preordered", "promisable")] == [
        9.5,
        2.25,
        7.25,
    ]
    assert [cell["preordered"] for cell in answer["locations"]] == [0, 2.25]
    assert [cell["short"] for cell in answer["locations"]] == [0, 0]
    (over,) = shop.discrepancies(about=cheese)
    assert (over["kind"], over["quantity"], over.get("unit")) == ("over_received", 4, None)
    assert shop.reserves(cheese, "W1", 31, **HUNDREDS).status == 409
    assert shop.reserves(cheese, "W1", 30, **HUNDREDS).status == 201
    then = shop.wire.ask(f"/v1/stock/{cheese}", as_of=shop.now().isoformat())
    assert [one["promisable"] for one in then["expected"]] == [7.25]


@row("S17")
def test_s17_zones_are_counted_by_weight(shop: Shop) -> None:
    """S17. Given: a store sells from SHELF; SHELF counted 5 kg, BACK 7 kg and 9 pieces; 0.5 kg
    sold; BACK counted again, 6.9 kg.
    Right: 11.4 kg, 4.5 of them on the shelf, and 9 pieces.
    """
    cheese, store = shop.item("CHEESE"), shop.store(selling_zone="SHELF")
    shop.counts(cheese, store, 500, zone="SHELF", **TENS)
    shop.counts(cheese, store, 7, zone="BACK", **WHOLE)
    shop.counts(cheese, store, 9, zone="BACK")
    shop.sells(line(cheese, 500, yen=900, **GRAMS), at=store)
    shop.counts(cheese, store, 69, zone="BACK", **HUNDREDS)
    assert cells(shop, cheese, store) == {None: (9, 0, 0, 0, 0, 9), "kg": (11.4, 0, 0, 0, 0, 11.4)}
    pieces, weight = shop.wire.ask(f"/v1/stock/{cheese}/zones", location_id=store)["locations"]
    assert (pieces["on_hand"], pieces.get("unit")) == (9, None)
    assert (weight["location_id"], weight["unit"], weight["on_hand"]) == (store, "kg", 11.4)
    assert {zone["zone"]: zone["on_hand"] for zone in weight["zones"]} == {
        "SHELF": 4.5,
        "BACK": 6.9,
    }


@row("S17")
def test_s17_people_settle_what_does_not_fit_by_weight(shop: Shop) -> None:
    """S17. Given: 5 kg; 0.5 kg sold; 0.7 kg of it and 2 pieces come back; people say that both
    returns are right. 2 kg sent to S002, where 2.5 kg arrive; people say that this is right too.
    Right: 0.2 kg and the pieces are blocked, each listed in its own unit; then they can be sold;
    0.5 kg more have left S001 for S002.
    """
    cheese = shop.item("CHEESE")
    shop.receives(cheese, "S001", 5_000, **GRAMS)
    sale = shop.sells(line(cheese, 500, yen=900, **GRAMS))
    shop.returns(sale, back(cheese, 70, refund=900, **TENS))
    shop.returns(sale, back(cheese, 2, refund=100))
    assert cells(shop, cheese, "S001") == {
        None: (2, 0, 0, 2, 0, 0), "kg": (5.2, 0, 0, 0.2, 0, 5),
    }  # fmt: skip
    odd = shop.discrepancies(about=sale)
    assert {(one["kind"], one["quantity"], one.get("unit")) for one in odd} == {
        ("over_return", 0.2, "kg"), ("unknown_line", 2, None),
    }  # fmt: skip
    for one in odd:
        assert shop.settles(one, "DOCUMENT_RIGHT").status_code == 201
    assert shop.discrepancies(about=sale) == []
    assert cells(shop, cheese, "S001") == {
        None: (2, 0, 0, 0, 0, 2), "kg": (5.2, 0, 0, 0, 0, 5.2),
    }  # fmt: skip
    moved = shop.sends_on(cheese, "S001", "S002", 2, **WHOLE)
    shop.takes_in(moved, 25, **HUNDREDS)
    (over,) = shop.discrepancies("over_received", about=cheese)
    assert (over["quantity"], over["unit"]) == (0.5, "kg")
    assert shop.settles(over, "DOCUMENT_RIGHT").status_code == 201
    assert cells(shop, cheese, "S001")["kg"] == (2.7, 0, 0, 0, 0, 2.7)
    assert cells(shop, cheese, "S002")["kg"] == (2.5, 0, 0, 0, 0, 2.5)
