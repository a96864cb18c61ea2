"""What a sale, its corrections and its order do to stock: a shop's own examples. Pure.

A cell is written as (on hand, committed, unavailable). Available is the first less the others.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

from schemas.generated.events import (
    AllocationReleased,
    Event,
    OrderLineCancelled,
    OrderLineHandedOver,
    PurchaseAmended,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
    StockAllocated,
    StockReceived,
    StockShipped,
    TransferReceived,
    TransferShipped,
)
from schemas.generated.events.parts import LineComponent, PurchaseLine, ReturnedLine
from tests.projections.saying import MINUTE, T0, meta, named
from tests.projections.shop_driving import Folds
from tests.projections.shop_rows import cells, odd, still_sold


def line(sku: str, units: int = 1, way: str = "IMMEDIATE", *, number: int = 1, **more: Any) -> Any:
    return PurchaseLine(
        line_no=number, sku=sku, quantity=units, unit_price=100, net_paid=100 * units,
        fulfilment=way, **more,
    )  # fmt: skip


def sold(*lines: Any, at: int = 1, where: str = "S1", receipt: str = "r", order: str = "") -> Event:
    return PurchaseCompleted(
        meta=meta(minute=at), transaction_id=named(receipt), location_id=where, currency="JPY",
        total=sum(one.net_paid for one in lines), lines=list(lines),
        order_id=named(order) if order else None,
    )  # fmt: skip


def back(
    sku: str, units: int = 1, *, at: int = 5, where: str = "S1", number: int = 1,
    fit: str = "BACK_IN_STOCK", receipt: str = "r",
) -> Event:  # fmt: skip
    lines = [ReturnedLine(line_no=number, sku=sku, quantity=units, refund=1, disposition=fit)]
    return PurchaseReturned(
        meta=meta(minute=at), transaction_id=named(receipt), location_id=where, currency="JPY",
        total=1, lines=lines,
    )  # fmt: skip


def voided(at: int = 6, where: str = "S1") -> Event:
    return PurchaseVoided(
        meta=meta(minute=at), transaction_id=named("r"), location_id=where, currency="JPY",
        total=0, lines=[], reason="wrong",
    )  # fmt: skip


def cancelled(units: int = 1, *, at: int = 4, sku: str | None = None, number: int = 1) -> Event:
    return OrderLineCancelled(
        meta=meta(minute=at), transaction_id=named("r"), order_id=named("r"), line_no=number,
        sku=sku, quantity=units, currency="JPY", location_id="S1",
    )  # fmt: skip


def amended(*lines: Any, at: int = 4, where: str = "S1") -> Event:
    return PurchaseAmended(
        meta=meta(minute=at), transaction_id=named("r"), location_id=where, currency="JPY",
        total=sum(one.net_paid for one in lines), lines=list(lines),
    )  # fmt: skip


def of_order(kind: Any, units: int = 1, *, at: int = 3, where: str = "S1", order: str = "r") -> Any:
    return kind(
        meta=meta(minute=at), sku="tea", location_id=where, order_id=named(order), line_no=1,
        quantity=units,
    )  # fmt: skip


def received(units: int, where: str = "S1", sku: str = "tea") -> Event:
    return StockReceived(meta=meta(minute=0), sku=sku, location_id=where, quantity=units)


def at_minute(minute: int) -> int:
    return T0 + minute * MINUTE


def cell_of(folds: Folds, where: str = "S1", sku: str = "tea") -> tuple[int, int, int]:
    row = cells(folds).get((sku, where), {})
    return row.get("on_hand", 0), row.get("committed", 0), row.get("unavailable", 0)


def kinds(folds: Folds) -> dict[str, int]:
    """Units that do not fit, by kind."""
    units: dict[str, int] = {}
    for (kind, *_), many in odd(folds).items():
        units[kind] = units.get(kind, 0) + many
    return units


def in_any_order(*events: Event) -> Folds:
    """The rows after these documents; whichever way they come, the same."""
    want = Folds().take(events)
    for number, order in enumerate(permutations(events)):
        if number % 7 == 0:
            folds = Folds()
            for event in order:
                folds.take([event])
            assert cells(folds) == cells(want)
            assert odd(folds) == odd(want)
            assert still_sold(folds) == still_sold(want)
    return want


# -- corrections


def test_a_return_of_more_than_was_sold_is_there_but_not_for_sale() -> None:
    folds = in_any_order(received(5), sold(line("tea")), back("tea", 100))
    assert cell_of(folds) == (104, 0, 99)
    assert kinds(folds) == {"over_return": 99}
    assert not still_sold(folds)


def test_a_return_of_a_line_that_the_receipt_never_had() -> None:
    folds = in_any_order(received(5), sold(line("tea")), back("cup", 1))
    assert (cell_of(folds), cell_of(folds, sku="cup")) == ((4, 0, 0), (1, 0, 1))
    assert kinds(folds) == {"unknown_line": 1}


def test_a_return_of_an_unknown_receipt_fits_once_the_receipt_is_told() -> None:
    early = Folds().take([received(5), back("tea")])
    assert (cell_of(early), kinds(early)) == ((6, 0, 1), {"unknown_sale": 1})
    late = early.take([sold(line("tea"))])
    assert (cell_of(late), kinds(late)) == ((5, 0, 0), {})


def test_a_return_told_twice_and_then_a_void_give_one_unit_back() -> None:
    folds = in_any_order(
        received(5), sold(line("tea")), back("tea"), back("tea", at=6), voided(at=7)
    )
    on_hand, committed, unavailable = cell_of(folds)
    assert (on_hand - committed - unavailable, unavailable) == (5, 1)
    assert kinds(folds) == {"over_return": 2}


def test_an_exchange_at_another_store_moves_both_sizes_at_the_right_stores() -> None:
    folds = in_any_order(
        received(3, sku="M"), received(3, "S2", "L"), sold(line("M")),
        back("M", where="S2"), sold(line("L"), at=5, where="S2", receipt="exchange"),
    )  # fmt: skip
    assert cell_of(folds, sku="M") == (2, 0, 0)
    assert cell_of(folds, "S2", "M") == (1, 0, 0)
    assert cell_of(folds, "S2", "L") == (2, 0, 0)
    assert kinds(folds) == {}


def test_a_set_takes_its_components_and_gives_them_back() -> None:
    parts = [LineComponent(sku="A", quantity=1), LineComponent(sku="B", quantity=2)]
    one = sold(line("set", components=parts))
    folds = in_any_order(one)
    assert (cell_of(folds, sku="A"), cell_of(folds, sku="B")) == ((-1, 0, 0), (-2, 0, 0))
    assert not cells(in_any_order(one, back("set")))


def test_a_refund_without_goods_moves_no_stock() -> None:
    folds = in_any_order(received(5), sold(line("tea", 2)), back("tea", fit="NOT_RETURNED"))
    assert cell_of(folds) == (4 - 1, 0, 0)
    assert sum(still_sold(folds).values()) == 1
    assert kinds(folds) == {}


def test_a_line_that_is_amended_to_be_shipped_is_held_and_not_gone() -> None:
    folds = in_any_order(received(5), sold(line("tea", 2)), amended(line("tea", 2, "SHIP")))
    assert cell_of(folds) == (5, 2, 0)


def test_a_line_that_is_amended_to_leave_from_elsewhere_leaves_there_and_comes_back_there() -> None:
    elsewhere = amended(line("tea", location_id="S2"), where="S2")
    folds = in_any_order(received(5), received(5, "S2"), sold(line("tea")), elsewhere)
    assert (cell_of(folds), cell_of(folds, "S2")) == ((5, 0, 0), (4, 0, 0))
    folds = in_any_order(received(5), received(5, "S2"), sold(line("tea")), elsewhere, voided())
    assert (cell_of(folds), cell_of(folds, "S2")) == ((5, 0, 0), (5, 0, 0))


def test_a_line_whose_number_got_another_item_still_knows_what_came_back() -> None:
    told = [sold(line("tea")), back("tea", at=2), amended(line("cup")), back("tea", at=5)]
    assert kinds(in_any_order(*told)) == {"over_return": 1}


def test_a_return_of_a_line_that_was_taken_off_means_another_line_of_the_item() -> None:
    both = sold(line("tea"), line("cup", number=2))
    folds = in_any_order(both, amended(line("cup")), back("cup", number=2))
    assert (cells(folds), kinds(folds)) == ({}, {})


def test_a_cancel_without_the_item_names_the_item_of_its_line() -> None:
    folds = in_any_order(sold(line("tea")), back("tea", at=2), cancelled())
    assert [key[0::2] for key in odd(folds)] == [("over_return", "tea")]


# -- orders


def test_what_is_sold_to_be_shipped_is_held_by_the_sale_itself() -> None:
    folds = in_any_order(received(5, "W1"), sold(line("tea", 5, "SHIP", location_id="W1")))
    assert cell_of(folds, "W1") == (5, 5, 0)


def test_shipped_units_of_an_order_that_nobody_allocated_have_left() -> None:
    folds = in_any_order(received(10), of_order(StockShipped, 3))
    assert cell_of(folds) == (7, 0, 0)
    assert kinds(folds) == {"shipped_unordered": 3}


def test_a_release_after_the_shipment_frees_nothing_however_often_it_is_told() -> None:
    life = [received(10), of_order(StockAllocated, at=1), of_order(StockShipped, at=2)]
    for times in (1, 2):
        folds = in_any_order(*life, *[of_order(AllocationReleased, at=3) for _ in range(times)])
        assert cell_of(folds) == (9, 0, 0)
        assert kinds(folds) == {"released_after_end": times}


def test_an_order_cancelled_at_the_counter_and_released_is_free_once() -> None:
    folds = in_any_order(
        received(5), sold(line("tea", way="PICKUP")), of_order(StockAllocated), cancelled(),
        of_order(AllocationReleased, at=5),
    )  # fmt: skip
    assert cell_of(folds) == (5, 0, 0)
    assert kinds(folds) == {}


def test_a_void_before_the_shipment_frees_what_was_held() -> None:
    folds = in_any_order(received(5), sold(line("tea", way="SHIP")), voided(where="HQ"))
    assert cell_of(folds) == (5, 0, 0)


def test_what_a_store_sells_and_a_warehouse_ships_leaves_the_warehouse_once() -> None:
    folds = in_any_order(
        received(5, "W1"), sold(line("tea", way="SHIP")),
        of_order(StockAllocated, where="W1"), of_order(StockShipped, at=4, where="W1"),
    )  # fmt: skip
    assert cells(folds) == {("tea", "W1"): {"on_hand": 4}}
    assert kinds(folds) == {}


def test_a_picked_up_order_rung_up_again_at_the_till_leaves_once() -> None:
    folds = in_any_order(
        received(5), sold(line("tea", way="PICKUP")), of_order(OrderLineHandedOver),
        sold(line("tea"), at=4, receipt="till", order="r"),
    )  # fmt: skip
    assert cell_of(folds) == (4, 0, 0)
    assert kinds(folds) == {"doubled_document": 1}


def test_a_part_cancelled_before_shipping_is_free_before_the_rest_leaves() -> None:
    folds = Folds().take([received(10), sold(line("tea", 3, "SHIP"))])
    assert cell_of(folds) == (10, 3, 0)
    assert cell_of(folds.take([cancelled(1)])) == (10, 2, 0)
    assert cell_of(folds.take([of_order(StockShipped, 2, at=5)])) == (8, 0, 0)
    assert kinds(folds) == {}


def test_a_till_that_hands_over_ends_the_promise_of_its_own_store() -> None:
    folds = in_any_order(
        received(5), received(5, "S2"), sold(line("tea", 2, "PICKUP"), receipt="web"),
        sold(line("tea", way="PICKUP"), where="S2", receipt="web 2", order="web"),
        sold(line("tea"), at=4, where="S2", receipt="till", order="web"),
    )  # fmt: skip
    assert (cell_of(folds), cell_of(folds, "S2")) == ((5, 2, 0), (4, 0, 0))


def test_a_cancelled_line_ends_the_promise_of_its_own_store() -> None:
    lines = line("tea", way="PICKUP"), line("tea", way="PICKUP", number=2, location_id="S2")
    folds = in_any_order(sold(*lines), cancelled(number=2))
    assert (cell_of(folds), cell_of(folds, "S2")) == ((0, 1, 0), (0, 0, 0))


def test_of_two_tills_that_rang_an_order_up_the_later_one_is_the_double() -> None:
    folds = in_any_order(
        sold(line("tea", 2, "PICKUP"), where="S3"), of_order(StockShipped, where="S3"),
        sold(line("tea"), at=4, where="S2", receipt="first", order="r"),
        sold(line("tea"), at=5, where="S1", receipt="second", order="r"),
    )  # fmt: skip
    assert (cell_of(folds, "S2"), cell_of(folds, "S1")) == ((-1, 0, 0), (0, 0, 0))
    assert kinds(folds) == {"doubled_document": 1}


def test_a_release_after_a_till_handed_the_order_over_is_told() -> None:
    life = [received(5), of_order(StockAllocated, at=1)]
    till = sold(line("tea"), at=2, receipt="till", order="r")
    late = in_any_order(*life, till, of_order(AllocationReleased, at=3))
    assert (cell_of(late), kinds(late)) == ((4, 0, 0), {"released_after_end": 1})
    # released first, then bought at the counter after all: that fits
    sold_later = sold(line("tea"), at=4, receipt="till", order="r")
    early = in_any_order(*life, of_order(AllocationReleased, at=3), sold_later)
    assert (cell_of(early), kinds(early)) == ((4, 0, 0), {})


def test_what_comes_back_of_an_order_had_left_although_nobody_told() -> None:
    order = [received(5), sold(line("tea", 2, "SHIP"))]
    folds = in_any_order(*order, back("tea", at=4, where="S2"))
    assert [cell_of(folds, place) for place in ("S1", "S2")] == [(4, 1, 0), (1, 0, 0)]
    assert kinds(folds) == {}
    # released afterwards, it frees the unit that is still there, and no other
    released = of_order(AllocationReleased, 2, at=5)
    folds = in_any_order(*order, back("tea", at=4, where="S2"), released)
    assert [cell_of(folds, place) for place in ("S1", "S2")] == [(4, 0, 0), (1, 0, 0)]
    assert kinds(folds) == {"released_after_end": 1}
    # released before: the order was over, and a unit of it left all the same
    early = of_order(AllocationReleased, 2, at=3)
    folds = in_any_order(*order, early, back("tea", at=4, where="S2"))
    assert [cell_of(folds, place) for place in ("S1", "S2")] == [(4, 0, 0), (1, 0, 0)]
    assert kinds(folds) == {"shipped_unordered": 1}


def test_what_was_told_to_have_left_does_not_leave_again_when_it_comes_back() -> None:
    promised = of_order(StockAllocated, 2, at=2, where="S2")
    order = [received(5, "S2"), sold(line("tea", 2, "SHIP"), where="S2"), promised]
    shipped = of_order(StockShipped, at=4, where="S2")
    folds = in_any_order(*order, shipped, back("tea", where="S1"))
    assert [cell_of(folds, place) for place in ("S1", "S2")] == [(1, 0, 0), (4, 1, 0)]
    # the second one left as well, from where it was promised
    folds = in_any_order(*order, shipped, back("tea", 2, where="S1"))
    assert [cell_of(folds, place) for place in ("S1", "S2")] == [(2, 0, 0), (3, 0, 0)]
    assert kinds(folds) == {}


# -- transfers


def moved(kind: Any, units: int, *, to: str = "S2", at: int = 1) -> Any:
    return kind(
        meta=meta(minute=at), transfer_id=named("t"), sku="tea", from_location_id="S1",
        to_location_id=to, quantity=units,
    )  # fmt: skip


def test_a_transfer_received_twice_arrives_once() -> None:
    folds = in_any_order(
        received(9), moved(TransferShipped, 4),
        moved(TransferReceived, 4, at=2), moved(TransferReceived, 4, at=3),
    )  # fmt: skip
    assert cells(folds) == {("tea", "S1"): {"on_hand": 5}, ("tea", "S2"): {"on_hand": 4}}
    assert kinds(folds) == {"over_received": 4}


def test_a_transfer_received_elsewhere_is_there_and_no_longer_under_way() -> None:
    folds = in_any_order(
        received(9), moved(TransferShipped, 4), moved(TransferReceived, 4, to="S3", at=2)
    )
    assert cells(folds) == {("tea", "S1"): {"on_hand": 5}, ("tea", "S3"): {"on_hand": 4}}
    assert kinds(folds) == {"misrouted": 4}
