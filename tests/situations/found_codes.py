"""Situations about codes that were found in public trackers (`found.md`)."""

from __future__ import annotations

from urllib.parse import quote
from uuid import uuid4

import pytest

from schemas.barcodes import check_digit
from tests.situations.answers import Shop
from tests.situations.codes import AFTER, BEFORE, BETWEEN, DECLARED, new_barcode
from tests.situations.facts import back, line
from tests.situations.rows import row


@row("F81")
def test_f81_an_item_is_described_with_a_space_behind_its_code(shop: Shop) -> None:
    """F81. Given: an item is described as "A " and again as "A"; 5 received of "A ", 2 of "A" sold.
    Right: one item, with its newest name; 3 on hand.
    """
    sku, store = f"A-{uuid4()}", shop.store()
    shop.declares(f"{sku} ", [])
    shop.declares(sku, [], name="The new name")
    shop.receives(f"{sku} ", store, 5)
    shop.sells(line(sku, 2), at=store)
    assert shop.shelf(sku, store).on_hand == 3
    for asked in (sku, quote(f"{sku} ")):
        assert shop.wire.ask(f"/v1/items/{asked}")["name"] == "The new name"


@row("F82")
def test_f82_both_barcodes_of_an_item_on_one_receipt(shop: Shop) -> None:
    """F82. Given: an item has two barcodes; a receipt has 1 by one and 1 by the other; it comes
    back. Right: 2 less, named on the receipt, held back whichever code is asked; then all back,
    held back no more.
    """
    soap, store, hanako = shop.item("SOAP"), shop.store(), shop.member()
    one, other = new_barcode(), new_barcode()
    shop.declares(soap, [one, other])
    shop.receives(soap, store, 5)
    sale = shop.sells(one, other, at=store, to=hanako)
    assert shop.shelf(soap, store).on_hand == 3
    assert {line["name"] for line in shop.purchase(sale)["lines"]} == {soap}
    assert shop.suppressed(hanako, soap, one, f"0{other}") == [soap, one, f"0{other}"]
    page = shop.wire.ask(f"/v1/purchases/{sale.transaction}")
    assert [told["name"] for told in page["lines"]] == [soap, soap]
    shop.returns(sale, at=store)
    assert shop.shelf(one, store).on_hand == 5
    assert shop.suppressed(hanako, soap, one, f"0{other}") == []


@row("F83")
def test_f83_two_barcodes_differ_in_their_last_digits_only(shop: Shop) -> None:
    """F83. Given: two items whose barcodes of 8 digits differ in the last two; one of the first is
    sold. Right: the first has one less, the second none.
    """
    store, begin = shop.store(), f"{uuid4().int % 10**6:06}"
    codes = [f"{begin}{last}{check_digit(f'{begin}{last}')}" for last in (0, 1)]
    skus = [shop.item("PEN"), shop.item("PENCIL")]
    for sku, code in zip(skus, codes, strict=True):
        shop.declares(sku, [code])
        shop.receives(sku, store, 5)
    shop.sells(codes[0], at=store)
    assert [shop.shelf(code, store).on_hand for code in codes] == [4, 5]


@row("F84")
def test_f84_the_barcode_of_a_variant_is_that_variant(shop: Shop) -> None:
    """F84. Given: S and M of a shirt, each with a barcode; M is scanned and reserved.
    Right: M less, S untouched.
    """
    store, product = shop.store(), f"P-{uuid4()}"
    variants = {size: (shop.item(size), new_barcode()) for size in ("S", "M")}
    for size, (sku, code) in variants.items():
        shop.declares(sku, [code], product_id=product, size=size)
        shop.receives(code, store, 2)
    shop.sells(variants["M"][1], at=store)
    assert shop.shelf(variants["M"][1], store).available == 1
    assert shop.reserves(variants["M"][1], store).status == 201
    left = {size: shop.shelf(sku, store).available for size, (sku, _) in variants.items()}
    assert left == {"S": 2, "M": 0}


@row("F85")
def test_f85_a_scanner_puts_another_zero_before_the_barcode(shop: Shop) -> None:
    """F85. Given: a barcode of 12 digits is declared; the till reads 13 and 14 digits,
    and 13 when it comes back. Right: the same item: its stock, its name, nothing unknown.
    """
    soap, store, code = shop.item("SOAP"), shop.store(), new_barcode()
    shop.declares(soap, [code])
    shop.receives(soap, store, 5)
    for read in (code, f"0{code}", f"00{code}"):
        sale = shop.sells(read, at=store)
        assert shop.wire.ask(f"/v1/items/{read}")["sku"] == soap
        assert shop.discrepancies("unknown_item", sku=read) == []
    assert shop.shelf(f"00{code}", store).on_hand == 2
    shop.returns(sale, back(f"0{code}"), at=store)
    assert shop.shelf(soap, store).on_hand == 3
    assert shop.discrepancies(about=sale) == []
    unknown = new_barcode()
    shop.sells(unknown, at=store)
    assert len(shop.discrepancies("unknown_item", sku=unknown)) == 1
    shop.declares(shop.item("NEW"), [unknown])
    assert shop.discrepancies("unknown_item", sku=unknown) == []


@row("F89")
@pytest.mark.parametrize("declared", DECLARED)
def test_f86_goods_come_back_by_another_code_than_they_were_sold(shop: Shop, declared: str) -> None:
    """F89. Given: 3 sold by barcode; 1 comes back by the item's sku; the barcode is declared
    before, between or after. Right: 2 less, the points of 2 are kept, nothing does not fit.
    """
    soap, store, hanako, barcode = shop.item("SOAP"), shop.store(), shop.member(), new_barcode()
    shop.receives(soap, store, 10)
    if declared == BEFORE:
        shop.declares(soap, [barcode])
    sale = shop.sells(line(barcode, 3, 3_000), at=store, to=hanako)
    if declared == BETWEEN:
        shop.declares(soap, [barcode])
    shop.returns(sale, back(soap), at=store)
    if declared == AFTER:
        assert [one["kind"] for one in shop.discrepancies(about=sale)] == ["unknown_line"]
        shop.points(hanako)  # is judged without the return
        shop.declares(soap, [barcode])
    shop.until(lambda: shop.discrepancies(about=sale) == [])
    assert (shop.shelf(soap, store).on_hand, shop.shelf(soap, store).available) == (8, 8)
    shop.until(lambda: shop.points(hanako) == 20)
    assert shop.bought(hanako, sale) == {1: (3, 1)}


@row("F90")
@pytest.mark.parametrize("declared", DECLARED)
def test_f87_an_order_by_sku_is_handed_out_by_barcode(shop: Shop, declared: str) -> None:
    """F90. Given: 2 ordered in the web by sku to pick up, allocated by sku; the till that hands
    them out scans the barcode. Right: 2 less, nothing held for the order, nothing does not fit.
    """
    soap, store, barcode = shop.item("SOAP"), shop.store(), new_barcode()
    shop.receives(soap, store, 5)
    if declared == BEFORE:
        shop.declares(soap, [barcode])
    order = shop.orders(line(soap, 2) | {"fulfilment": "PICKUP"}, at=store)
    shop.allocates(order, soap, store, 2)
    if declared == BETWEEN:
        shop.declares(soap, [barcode])
    shop.hands_over(order, barcode, store, 2)
    if declared == AFTER:
        assert len(shop.discrepancies("shipped_unordered", about=order)) == 1
        shop.declares(soap, [barcode])
    shop.until(lambda: shop.discrepancies(about=order) == [])
    shelf = shop.shelf(soap, store)
    assert (shelf.on_hand, shelf.available) == (3, 3)
