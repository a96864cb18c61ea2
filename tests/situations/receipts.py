"""Rows of the table Money and points that one receipt decides: kinds of lines, taxes, discounts,
money given back, amendments, and sums that do not add up.

1 point per 100 yen, unless a day of its own has other rules.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.situations.answers import Shop
from tests.situations.facts import EC, HEAD_OFFICE, RIGHT, back, line
from tests.situations.rows import arrivals, row

RULES: dict[str, Any] = {"earn": [{"points": 1, "per": 100}], "return_policy": "go_negative"}
_days = count()
FIRST_NOON = datetime(2024, 1, 1, 3, tzinfo=UTC)  # in a year in which no other situation has rules


def day_with(shop: Shop, **rules: Any) -> datetime:
    """Noon in Tokyo of a past day on which the program has these rules too, and no other day."""
    noon = FIRST_NOON + timedelta(days=2 * next(_days))
    for valid_from, told in ((noon, RULES | rules), (noon + timedelta(days=1), RULES)):
        shop.tell(
            "ProgramRulesSet", HEAD_OFFICE, program_id="hitotsu-points", version="1",
            accrual="RULES", rules=json.dumps(told), valid_from=valid_from,
        )  # fmt: skip
    shop.wire.ask("/v1/stock")
    return noon + timedelta(minutes=1)


@row("M3")
@arrivals
@pytest.mark.parametrize("told", ["negative", "positive", "of the receipt"])
def test_m3_a_discount_is_a_line(shop: Shop, told: str, arrival: str) -> None:
    """M3. Given: 1,000 with a discount of 300 as a line.
    Right: 7 points, no stock of the discount.
    """
    shirt, off, hanako = shop.item("SHIRT"), shop.item("OFF"), shop.member()
    yen = -300 if told == "negative" else 300
    lines, more = [line(shirt)], {"total": 700}
    if told == "of the receipt":
        more |= {"discounts": [{"amount": 300, "reason_code": "member"}]}
    else:
        lines.append({**line(off, yen=yen), "kind": "DISCOUNT"})
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 5)
        sale = shop.sells(*lines, to=hanako, **more)
    assert shop.points(hanako) == 7
    assert (shop.shelf(shirt, "S001").on_hand, shop.shelf(off, "S001").on_hand) == (4, 0)
    assert shop.bought(hanako, sale) == {1: (1, 0)}
    assert shop.suppressed(hanako, shirt, off) == [shirt]
    assert shop.discrepancies(about=sale) == []
    shop.returns(sale, back(shirt, refund=700))
    assert shop.points(hanako) == 0


@row("M3")
@pytest.mark.parametrize(
    ("kind", "points"),
    [("SERVICE", 15), ("FEE", 15), ("SHIPPING", 15), ("DEPOSIT", 10), ("GIFT_CARD", 10),
     ("ROUNDING", 10), ("OTHER", 15)],
)  # fmt: skip
def test_m3_only_goods_are_goods(shop: Shop, kind: str, points: int) -> None:
    """M3. Given: goods for 1,000 and 500 for what is no goods.
    Right: only the goods are in stock, held back and bought; gift cards, deposits and rounding
    earn nothing.
    """
    shirt, other, hanako = shop.item("SHIRT"), shop.item(kind), shop.member()
    for sku in (shirt, other):
        shop.receives(sku, "S001", 5)
    sale = shop.sells(line(shirt), line(other, yen=500, kind=kind), to=hanako)
    assert shop.points(hanako) == points
    assert [shop.shelf(sku, "S001").on_hand for sku in (shirt, other)] == [4, 5]
    assert shop.bought(hanako, sale) == {1: (1, 0)}
    assert shop.suppressed(hanako, shirt, other) == [shirt]
    assert [one["kind"] for one in shop.purchase(sale)["lines"]] == ["GOODS", kind]
    shop.voids(sale)
    assert shop.points(hanako) == 0
    assert [shop.shelf(sku, "S001").on_hand for sku in (shirt, other)] == [5, 5]


@row("M4")
@arrivals
def test_m4_a_void_takes_all_points_of_its_sale(shop: Shop, arrival: str) -> None:
    """M4. Given: quantity 0 with 500 yen, then void.
    Right: refused, or the void takes its points.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        sale = shop.sells(line(shirt, 0, yen=500), to=hanako)
        if arrival == "in order":
            assert shop.points(hanako) == 5
        shop.voids(sale)
    assert shop.points(hanako) == 0


@row("M5")
@pytest.mark.parametrize(("per", "points"), [("receipt", 2), ("line", 0)])
def test_m5_points_are_rounded_per_line_or_per_receipt(shop: Shop, per: str, points: int) -> None:
    """M5. Given: three lines of 99; rule "per receipt" / "per line".
    Right: 2 / 0.
    """
    hanako, when = shop.member(), day_with(shop, rounded_per=per)
    sale = shop.sells(*(line(shop.item(), yen=99) for _ in range(3)), to=hanako, when=when)
    assert shop.points(hanako) == points
    shop.voids(sale)
    assert shop.points(hanako) == 0


@row("M5")
@arrivals
def test_m5_a_receipt_and_a_day_have_limits(shop: Shop, arrival: str) -> None:
    """M5. Given: 50 points a receipt and 70 a day at most; 9,000 and then 3,000 yen, of which the
    first may be told last; the first comes back. Right: 50 + 20; then 20.
    """
    hanako, when = shop.member(), day_with(shop, most_per_receipt=50, most_per_day=70)
    sales = [(9_000, when), (3_000, when + timedelta(minutes=1))]
    told = {}
    for yen, at in sales if arrival == "in order" else sales[::-1]:
        told[yen] = shop.sells(line(shop.item(), yen=yen), to=hanako, when=at)
        shop.settle()
    shop.until(lambda: shop.points(hanako) == 70)
    shop.returns(told[9_000])
    assert shop.points(hanako) == 20


@row("M6")
@pytest.mark.parametrize("by_rate", [True, False], ids=["tax told", "tax computed"])
@pytest.mark.parametrize("included", [True, False], ids=["tax included", "tax added"])
def test_m6_money_without_tax_earns(shop: Shop, by_rate: bool, included: bool) -> None:
    """M6. Given: 1,080 at 8 % and 1,100 at 10 %, tax included; base without tax; tax is rounded
    once per rate per receipt and shared out to lines. Right: 10 + 10 points.
    """
    tea, cup, hanako = shop.item("TEA"), shop.item("CUP"), shop.member()
    when = day_with(shop, base_without_tax=True)
    more: dict[str, Any] = {"total": 2_180, "registration_number": "T1234567890123"}
    if by_rate:
        sums = [(800, 1_000, 80), (1_000, 1_000, 100)]
        more["tax_by_rate"] = [
            {"rate_basis_points": rate, "net": net, "tax": tax} for rate, net, tax in sums
        ]
        more["tax"] = 180
    paid = (1_080, 1_100) if included else (1_000, 1_000)
    lines = [
        line(sku, yen=yen, tax_rate=rate, tax_included=included)
        for sku, yen, rate in zip((tea, cup), paid, (800, 1_000), strict=True)
    ]
    sale = shop.sells(*lines, to=hanako, when=when, **more)
    assert shop.points(hanako) == 20
    assert shop.discrepancies(about=sale) == []
    page = shop.purchase(sale)
    assert page["receipt"]["registration_number"] == "T1234567890123"
    assert page["receipt"]["tax"] == (180 if by_rate else 0)
    shop.returns(sale, back(tea, refund=1_080))
    assert shop.points(hanako) == 10


@row("M7")
@arrivals
def test_m7_money_comes_back_without_goods(shop: Shop, arrival: str) -> None:
    """M7. Given: 500 of 1,000 back without a unit.
    Right: 5 points stay; stock unchanged.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "S001", 5)
        sale = shop.sells(shirt, to=hanako)
        shop.lowers(sale, 500)
    assert shop.points(hanako) == 5
    assert shop.shelf(shirt, "S001").on_hand == 4
    assert shop.bought(hanako, sale) == {1: (1, 0)}
    assert shop.suppressed(hanako, shirt) == [shirt]
    (told,) = shop.purchase(sale)["lines"]
    assert (told["paid"], told["given_back"], told["quantity"]) == (1_000, 500, 1)
    assert shop.discrepancies(about=sale) == []
    shop.returns(sale)
    assert shop.points(hanako) == 0


@row("M7")
def test_m7_more_comes_back_than_was_paid(shop: Shop) -> None:
    """M7. Given: 1,200 of 1,000 back without a unit; then the sale is voided.
    Right: no points, never below 0; a discrepancy; stock back once.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "S001", 5)
    sale = shop.sells(shirt, to=hanako)
    lowered = shop.lowers(sale, 1_200)
    assert shop.points(hanako) == 0
    assert len(shop.discrepancies("sums", about=lowered)) == 1
    shop.voids(sale)
    assert shop.points(hanako) == 0
    assert shop.shelf(shirt, "S001").on_hand == 5


@row("M8")
@arrivals
def test_m8_an_order_is_edited(shop: Shop, arrival: str) -> None:
    """M8. Given: placed 2, edited to 1.
    Right: one sale of 1; stock -1.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    with shop.arriving(arrival):
        shop.receives(shirt, "W1", 5)
        order = shop.sells(line(shirt, 2, yen=2_000), to=hanako, at="W1", channel=EC)
        shop.amends(order, line(shirt, 1))
    assert shop.bought(hanako, order) == {1: (1, 0)}
    assert shop.points(hanako) == 10
    assert shop.shelf(shirt, "W1").on_hand == 4
    assert shop.purchase(order)["total"] == 1_000
    assert shop.discrepancies(about=order) == []


@row("M8")
@arrivals
def test_m8_an_item_is_taken_off_and_another_added(shop: Shop, arrival: str) -> None:
    """M8. Given: shirt and hat ordered; the hat is taken off, its line given to two scarfs.
    Right: one sale of a shirt and two scarfs, in stock, points, list and suppression.
    """
    shirt, hat, scarf = (shop.item(name) for name in ("SHIRT", "HAT", "SCARF"))
    hanako = shop.member()
    with shop.arriving(arrival):
        for sku in (shirt, hat, scarf):
            shop.receives(sku, "W1", 5)
        order = shop.sells(shirt, line(hat, yen=500), to=hanako, at="W1", channel=EC)
        shop.amends(order, line(shirt), line(scarf, 2, yen=1_600))
    assert shop.bought(hanako, order) == {1: (1, 0), 2: (2, 0)}
    assert shop.points(hanako) == 26
    assert [shop.shelf(sku, "W1").on_hand for sku in (shirt, hat, scarf)] == [4, 5, 3]
    assert shop.suppressed(hanako, shirt, hat, scarf) == [shirt, scarf]


@row("M8")
def test_m8_a_sale_of_which_something_came_back_is_edited(shop: Shop) -> None:
    """M8. Given: 3 for 3,000, one comes back; edited to 2.
    Right: 2 sold, 1 returned; 10 points.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "W1", 5)
    order = shop.sells(line(shirt, 3, yen=3_000), to=hanako, at="W1", channel=EC)
    shop.returns(order, back(shirt), at="W1")
    assert shop.points(hanako) == 20
    shop.amends(order, line(shirt, 2, yen=2_000))
    assert shop.points(hanako) == 10
    assert shop.bought(hanako, order) == {1: (2, 1)}
    assert shop.shelf(shirt, "W1").on_hand == 4
    shop.voids(order, channel=EC)
    assert shop.points(hanako) == 0
    assert shop.shelf(shirt, "W1").on_hand == 5


@row("M10")
def test_m10_sums_that_do_not_add_up(shop: Shop) -> None:
    """M10. Given: total 1, tax 99,999, tenders 70,003.
    Right: taken; a discrepancy `sums`.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    shop.receives(shirt, "S001", 5)
    tenders = [{"kind": "CASH", "amount": 70_003}]
    sale = shop.sells(shirt, to=hanako, total=1, tax=99_999, tenders=tenders)
    assert shop.shelf(shirt, "S001").on_hand == 4
    (found,) = shop.discrepancies("sums", about=sale)
    assert shop.purchase(sale)["receipt"]["not_adding_up"] == ["lines", "tax", "tenders"]
    shop.amends(sale, line(shirt, yen=900))
    assert shop.discrepancies("sums", about=sale) == []
    wrong = shop.sells(shirt, to=hanako, total=999)
    (found,) = shop.discrepancies("sums", about=wrong)
    assert shop.settles(found, RIGHT).status_code in (200, 201)
    assert shop.discrepancies("sums", about=wrong) == []


@row("M10")
@pytest.mark.parametrize(
    "more",
    [
        {"total": 1_100, "tax": 100},
        {"total": 900, "discounts": [{"amount": 100, "reason_code": "member"}]},
        {"total": 1_000, "discounts": [{"line_no": 1, "amount": 100, "reason_code": "member"}]},
        {"tax": 90, "tenders": [{"kind": "CASH", "amount": 600}, {"kind": "QR", "amount": 400}]},
        {"tax_by_rate": [{"rate_basis_points": 1_000, "net": 910, "tax": 90}]},
    ],
    ids=["tax added", "off the receipt", "off a line", "two tenders", "one rate"],
)
def test_m10_sums_that_add_up(shop: Shop, more: dict[str, Any]) -> None:
    """M10. Given: receipts whose parts come to the total.
    Right: no discrepancy.
    """
    sale = shop.sells(shop.item(), **more)
    assert shop.purchase(sale)["receipt"]["not_adding_up"] == []
    assert shop.discrepancies("sums", about=sale) == []


@row("M12")
@pytest.mark.parametrize(("excluded", "points"), [([], 10), (["GIFT_CARD"], 4)])
def test_m12_a_gift_card_is_sold_and_then_used(
    shop: Shop, excluded: list[str], points: int
) -> None:
    """M12. Given: gift card sold, then used; also where the rules exclude the tender.
    Right: 0 + points of the goods; 0 for what the card paid.
    """
    card, shirt, hanako = shop.item("CARD"), shop.item("SHIRT"), shop.member()
    when = day_with(shop, excluded_tenders=excluded)
    bought = shop.sells(line(card, yen=600, kind="GIFT_CARD"), to=hanako, when=when)
    assert shop.points(hanako) == 0
    tenders = [{"kind": "GIFT_CARD", "amount": 600}, {"kind": "CASH", "amount": 400}]
    sale = shop.sells(shirt, to=hanako, tenders=tenders, when=when + timedelta(minutes=1))
    assert shop.points(hanako) == points
    assert shop.purchase(sale)["receipt"]["tenders"] == tenders
    assert (shop.bought(hanako, bought), shop.bought(hanako, sale)) == ({}, {1: (1, 0)})


@row("M10")
@arrivals
def test_m10_a_return_refunds_more_than_its_lines(shop: Shop, arrival: str) -> None:
    """M10. Given: two of 1,000 sold; one comes back, of which the line says 1,000 and the
    total 99,999; the other with 1,000, and 900 after points were withheld. Right: one DISC `sums`.
    """
    item, store = shop.item(), shop.store()
    with shop.arriving(arrival):
        sale = shop.sells(line(item, 3, 3_000), at=store)
        wrong = shop.returns(sale, back(item), at=store, sums_to=99_999)
        shop.returns(sale, back(item), at=store)
        shop.returns(sale, back(item), at=store, sums_to=900)
    (found,) = shop.discrepancies("sums", about=sale)
    assert found["events"] == [wrong["meta"]["event_id"]]
    assert shop.discrepancies(about=sale) == [found]
    assert shop.shelf(item, store).on_hand == 0
