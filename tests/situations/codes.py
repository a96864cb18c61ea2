"""Rows P1 to P4 of the table Codes, people, inquiries."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest

from schemas.barcodes import check_digit
from tests.situations.answers import Shop
from tests.situations.rows import row
from tests.situations.stock import figures


def spellings(code: str) -> list[str]:
    """A code as scanners, spreadsheets and keyboards write it."""
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in code)
    decomposed = unicodedata.normalize("NFD", code)
    return [f"{code} ", wide, decomposed, f"{code[:3]}\u200b{code[3:]}", f"{code}\r\n"]


@row("P1")
def test_p1_codes_are_spelled_in_many_ways(shop: Shop) -> None:
    """P1. Given: sku "ABC ", full width, NFD, zero width; location "S001 ", "s001" declared as
    S001. Right: the same item and store, told in the answer.
    """
    gauze, store = shop.item("ガーゼ-ABC"), shop.store()
    shop.receives(gauze, store, 10)
    for spelled in spellings(gauze):
        shop.sells(spelled, at=store)
        (told,) = shop.wire.results
        assert told["normalised"] == {"lines.0.sku": gauze}
        assert shop.stock(quote(spelled)).answer == shop.stock(gauze).answer
    for spelled in (f"{store} ", store.lower(), *spellings(store)[:2]):
        shop.counts(gauze, spelled, 9, zone=None)
        assert set(shop.wire.results[0]["normalised"].values()) == {store}
    shop.sells(gauze, at=store.lower())
    assert shop.shelf(gauze, store).on_hand == 8
    held = shop.reserves(f"{gauze}\u200b", f" {store.lower()}", 8)
    assert held.status == 201
    assert len(shop.stock(gauze).answer["locations"]) == 1


@row("P1")
def test_p1_a_code_that_was_sent_as_it_is_kept_is_not_told(shop: Shop) -> None:
    """P1. Given: a sale whose codes are normal. Right: nothing is told about them."""
    shop.sells(shop.item("abc"))
    assert "normalised" not in shop.wire.results[0]


BEFORE, BETWEEN, AFTER = DECLARED = ("before", "between", "after")


def new_barcode() -> str:
    """A barcode of twelve digits that no other test uses."""
    digits = f"0{uuid4().int % 10**10:010}"
    return f"{digits}{check_digit(digits)}"


@row("P2")
@pytest.mark.parametrize("declared", DECLARED)
def test_p2_barcodes_of_one_item(shop: Shop, declared: str) -> None:
    """P2. Given: 036000291452 and 0036000291452, declared as barcodes of one item before or after
    the sales. Right: one item: reads take its codes together, nothing is re-keyed.
    """
    sku, short = shop.item("SOAP"), new_barcode()
    codes, (one, other) = (sku, short, f"0{short}"), (shop.store(), shop.store())
    if declared == BEFORE:
        shop.declares(sku, [short, f"0{short}"])
    shop.receives(short, one, 5)
    shop.sells(f"0{short}", at=one)
    shop.counts(sku, one, 10)
    shop.sells(short, at=one)
    if declared == BETWEEN:
        shop.declares(sku, [short, f"0{short}"])
    late = shop.now() - timedelta(hours=1)
    shop.sells(f"0{short}", at=one, when=late)  # what was counted includes it
    shop.sells(f"0{short}", at=one)
    shop.receives(sku, other, 3)
    shop.sells(short, at=other)
    order = shop.orders(f"0{short}", at=other)
    if declared == AFTER:
        shop.declares(sku, [short, f"0{short}"])
    for code in codes:
        stock = shop.stock(code)
        assert stock.answer["sku"] == sku
        assert [cell["location_id"] for cell in stock.answer["locations"]] == sorted([one, other])
        assert figures(stock.at(one)) == (8, 0, 8)
        assert figures(stock.at(other)) == (2, 1, 1)
    held = [shop.reserves(code, other).status for code in codes]
    assert held == [201, 409, 409]
    assert shop.shelf(short, other).reserved == 1
    shop.ships(order, f"0{short}", other)
    assert figures(shop.shelf(sku, other))[:2] == (1, 0)
    told = shop.wire.ask(f"/v1/stock/{short}/movements", location_id=one)
    assert (told["on_hand"], told["base"]["counted"], told["moved_since_base"]) == (8, 10, -2)
    assert len(told["movements"]) == 6
    assert shop.discrepancies("negative_stock", about=sku) == []
    assert shop.discrepancies("negative_stock", about=short) == []


@row("P2")
def test_p2_no_oversell_by_different_codes_of_one_item(shop: Shop) -> None:
    """P2. Given: 12 units of an item that has three codes; 64 ask for one at the same moment, each
    by one of the codes. Right: twelve get one.
    """
    sku, short = shop.item("SOAP"), new_barcode()
    shop.declares(sku, [short])
    places = [shop.store(), shop.store()]
    for code, place in zip((short, f"0{short}"), places, strict=True):
        shop.receives(code, place, 6)
    shop.stock(sku)
    for place in places:
        held = shop.reserves_at_once(32, sku, place, short, f"0{short}")
        assert [one.status for one in held].count(201) == 6
    assert [shop.shelf(sku, place).available for place in places] == [0, 0]


@row("P2")
def test_p2_one_barcode_of_two_items(shop: Shop) -> None:
    """P2. Given: two items declare the same barcode. Right: it belongs to the later one; the other
    is a discrepancy.
    """
    (first, second), barcode = (shop.item("SOAP"), shop.item("SOAP")), new_barcode()
    shop.declares(second, [barcode], valid_from="2021-01-01T00:00:00Z")
    shop.declares(first, [f"0{barcode}"])
    shop.receives(barcode, "S001", 2)
    assert shop.shelf(second, "S001").on_hand == 2
    assert shop.shelf(first, "S001").on_hand == 0
    (twice,) = shop.discrepancies("barcode_twice", sku=first)
    assert twice["sku"] == first
    assert shop.discrepancies("barcode_twice", sku=second) == []


@row("P3")
def test_p3_a_variant_of_a_product_was_bought(shop: Shop) -> None:
    """P3. Given: M white of a shirt bought; reach PRODUCT.
    Right: L white held back, other shirts not.
    """
    category, hanako, product = f"shirts-{uuid4()}", shop.member(), f"P-{uuid4()}"
    barcode = new_barcode()
    white_m, white_l, other = (shop.item(name, category) for name in ("M", "L", "OTHER"))
    for sku, size, codes in ((white_m, "M", [barcode]), (white_l, "L", [])):
        shop.declares(
            sku, codes, category=category, product_id=product, size=size, colour="white"
        )  # fmt: skip
    shop.needs("DURABLE", category=category, interval_days=365, reach="PRODUCT")
    shop.sells(f"0{barcode}", to=hanako)
    everything = (white_l, other, white_m, barcode)
    assert shop.suppressed(hanako, *everything) == [white_l, white_m, barcode]
    told = shop.wire.ask(f"/v1/items/{barcode}")
    assert (told["sku"], told["product_id"], told["size"]) == (white_m, product, "M")
    assert barcode in told["barcodes"]


@row("P4")
@pytest.mark.parametrize(("days", "held_back"), [(60, 48), (None, 22)])
def test_p4_a_first_purchase_of_what_is_used_up(
    shop: Shop, days: int | None, held_back: int
) -> None:
    """P4. Given: replenishable without interval, first purchase.
    Right: held back by the category's interval, else 28 days (four fifths of it).
    """
    category, hanako = f"drinks-{uuid4()}", shop.member()
    tea = shop.item("TEA", category)
    shop.needs("REPLENISHABLE", sku=tea)
    shop.needs("REPLENISHABLE", category=category, interval_days=days)
    for _ in range(2):  # the second receipt of the same day says nothing about the interval
        shop.sells(tea, to=hanako)
    now = shop.now()
    assert shop.suppressed(hanako, tea, at=now + timedelta(days=held_back - 1)) == [tea]
    assert shop.suppressed(hanako, tea, at=now + timedelta(days=held_back + 1)) == []
