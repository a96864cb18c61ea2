"""Which side moves when somebody decides about a document that does not fit? Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from projections.purchases.settlements import discrepancy_id
from schemas.generated.events import (
    AllocationReleased,
    DiscrepancySettled,
    Event,
    InboundExpected,
    OrderLineHandedOver,
    StockAllocated,
    StockReceived,
    StockShipped,
    TransferReceived,
    TransferShipped,
)
from tests.projections.saying import meta, named
from tests.projections.shop_deliveries import subject_of
from tests.projections.shop_driving import Folds
from tests.projections.shop_rows import cells, dated, history, unsettled
from tests.projections.test_sales_and_orders import (
    at_minute,
    back,
    cell_of,
    in_any_order,
    kinds,
    line,
    moved,
    of_order,
    received,
    sold,
)

RIGHT, WRONG = "DOCUMENT_RIGHT", "DOCUMENT_WRONG"


def decides(
    about: Any, kind: str, resolution: str, *, subject: str = "r", sku: str = "tea", at: int = 8,
    named_place: str | None = None,
) -> DiscrepancySettled:  # fmt: skip
    """Somebody decides about what a document says of an item."""
    where = about.to_location_id if hasattr(about, "to_location_id") else about.location_id
    name = discrepancy_id(kind, about.meta.event_id.hex(), sku, where)
    return DiscrepancySettled(
        meta=meta(minute=at), kind=kind, resolution=resolution, actor="auditor",
        discrepancy_id=bytes.fromhex(name), subject_id=named(subject), location_id=named_place,
    )  # fmt: skip


def settled(resolution: str, kind: str, about: Event, *others: Event, **more: Any) -> Folds:
    """The rows after a decision that makes the list empty; in whatever order all of it comes."""
    folds = in_any_order(*others, about, decides(about, kind, resolution, **more))
    assert kinds(folds), "what does not fit stays as what was decided about"
    assert not unsettled(folds)
    return folds


@pytest.mark.parametrize(("resolution", "cell"), [(RIGHT, (7, 0, 0)), (WRONG, (5, 0, 0))])
def test_units_beyond_the_sale_may_be_sold_or_were_never_there(
    resolution: str, cell: tuple[int, int, int]
) -> None:
    folds = settled(resolution, "over_return", back("tea", 3), received(5), sold(line("tea")))
    assert cell_of(folds) == cell
    # until the decision nothing of it was for sale; units that never came were never there
    before = history(folds, at_minute(7))["tea", "S1"]
    assert before.get("on_hand", 0) - before.get("unavailable", 0) == 5
    assert before.get("unavailable", 0) == (2 if resolution == RIGHT else 0)


@pytest.mark.parametrize(("resolution", "cell"), [(RIGHT, (7, 0, 2)), (WRONG, (5, 0, 0))])
def test_damaged_units_stay_unavailable_whoever_is_right(
    resolution: str, cell: tuple[int, int, int]
) -> None:
    broken = back("tea", 3, fit="QUALITY_CONTROL")
    folds = settled(resolution, "over_return", broken, received(5), sold(line("tea")))
    held = 1 if resolution == WRONG else 3
    assert cell_of(folds) == (*cell[:2], held)


@pytest.mark.parametrize(("resolution", "cell"), [(RIGHT, (6, 0, 0)), (WRONG, (5, 0, 0))])
def test_a_return_of_an_unknown_sale(resolution: str, cell: tuple[int, int, int]) -> None:
    returned = back("tea")
    folds = settled(resolution, "unknown_sale", returned, received(5))
    assert cell_of(folds) == cell
    # the sale is told after all: the return fits, and nothing is left of the decision
    assert cell_of(folds.take([sold(line("tea"))])) == (5, 0, 0)
    assert kinds(folds) == {}


@pytest.mark.parametrize(("resolution", "cell"), [(RIGHT, (2, 0, 0)), (WRONG, (4, 0, 0))])
def test_units_shipped_beyond_the_order_left_or_did_not(
    resolution: str, cell: tuple[int, int, int]
) -> None:
    folds = settled(
        resolution, "shipped_unordered", of_order(StockShipped, 3),
        received(5), of_order(StockAllocated, at=1),
    )  # fmt: skip
    assert cell_of(folds) == cell


@pytest.mark.parametrize(("resolution", "cell"), [(RIGHT, (5, 0, 0)), (WRONG, (4, 0, 0))])
def test_a_release_after_the_shipment(resolution: str, cell: tuple[int, int, int]) -> None:
    folds = settled(
        resolution, "released_after_end", of_order(AllocationReleased, at=4),
        received(5), of_order(StockAllocated, at=1), of_order(StockShipped, at=2),
    )  # fmt: skip
    assert cell_of(folds) == cell


def test_a_release_gives_no_more_back_than_had_left() -> None:
    folds = settled(
        RIGHT, "released_after_end", of_order(AllocationReleased, 9, at=4),
        received(5), of_order(StockAllocated, at=1), of_order(StockShipped, at=2),
    )  # fmt: skip
    assert cell_of(folds) == (5, 0, 0)


@pytest.mark.parametrize(("resolution", "cell"), [(RIGHT, (3, 0, 0)), (WRONG, (4, 0, 0))])
def test_a_served_order_that_is_rung_up_again(resolution: str, cell: tuple[int, int, int]) -> None:
    folds = settled(
        resolution, "doubled_document", sold(line("tea"), at=4, receipt="till", order="r"),
        received(5), of_order(StockAllocated, at=1), of_order(OrderLineHandedOver, at=2),
    )  # fmt: skip
    assert cell_of(folds) == cell


@pytest.mark.parametrize(
    ("resolution", "sender", "receiver"), [(RIGHT, 3, 6), (WRONG, 5, 4)]
)  # fmt: skip
def test_units_received_beyond_the_shipment(resolution: str, sender: int, receiver: int) -> None:
    folds = settled(
        resolution, "over_received", moved(TransferReceived, 6, at=2),
        received(9), moved(TransferShipped, 4), subject="t",
    )  # fmt: skip
    on_hand = {place: cell["on_hand"] for (_, place), cell in cells(folds).items()}
    assert on_hand == {"S1": sender, "S2": receiver}


@pytest.mark.parametrize(
    ("resolution", "sender", "receiver"), [(RIGHT, 5, 4), (WRONG, 9, 0)]
)  # fmt: skip
def test_units_received_of_a_shipment_that_nobody_told(
    resolution: str, sender: int, receiver: int
) -> None:
    folds = settled(
        resolution, "over_received", moved(TransferReceived, 4, at=2), received(9), subject="t"
    )
    assert (cell_of(folds)[0], cell_of(folds, "S2")[0]) == (sender, receiver)
    # told after all, it fits
    folds.take([moved(TransferShipped, 4)])
    assert (cell_of(folds)[0], cell_of(folds, "S2")[0]) == (5, 4)


@pytest.mark.parametrize(("resolution", "place"), [(RIGHT, "S3"), (WRONG, "S2")])
def test_units_that_arrived_elsewhere(resolution: str, place: str) -> None:
    folds = settled(
        resolution, "misrouted", moved(TransferReceived, 4, to="S3", at=2),
        received(9), moved(TransferShipped, 4), subject="t",
    )  # fmt: skip
    assert {where for _, where in cells(folds)} == {"S1", place}


def test_the_latest_decision_counts_and_one_that_names_another_subject_does_not() -> None:
    odd = back("tea", 3)
    told = [received(5), sold(line("tea")), odd]
    of = ("over_return", RIGHT), ("over_return", WRONG)
    both = in_any_order(*told, decides(odd, *of[0], at=8), decides(odd, *of[1], at=9))
    assert (cell_of(both), unsettled(both)) == ((5, 0, 0), {})
    for wrong in (
        decides(odd, *of[0], subject="another"),
        decides(odd, "unknown_sale", RIGHT),
        decides(odd, "over_return", "UNCLEAR"),
        decides(odd, *of[0], sku="cup"),
        decides(odd, *of[0], named_place="S2"),
    ):
        folds = in_any_order(*told, wrong)
        assert cell_of(folds) == (7, 0, 2)
        assert unsettled(folds)


def arrives(units: int, *, where: str = "S1", at: int = 2) -> Event:
    """A receipt that names a purchase order."""
    return StockReceived(
        meta=meta(minute=at), sku="tea", location_id=where, quantity=units, reference="PO-1"
    )


def announced(units: int) -> Event:
    return InboundExpected(
        meta=meta(minute=1), sku="tea", location_id="S1", quantity=units, document_id="PO-1",
        expected_at=at_minute(1_440),
    )  # fmt: skip


def settled_delivery(resolution: str, kind: str, about: Event, *others: Event) -> Folds:
    decision = replace(decides(about, kind, resolution), subject_id=subject_of("PO-1", "tea"))
    folds = in_any_order(*others, about, decision)
    assert kinds(folds)
    assert not unsettled(folds)
    return folds


@pytest.mark.parametrize(("resolution", "on_hand"), [(RIGHT, 6), (WRONG, 4)])
def test_units_received_beyond_a_delivery(resolution: str, on_hand: int) -> None:
    folds = settled_delivery(resolution, "over_received", arrives(6), announced(4))
    assert cell_of(folds) == (on_hand, 0, 0)
    # told after all that as many were to come: nothing is left of the decision
    more = replace(announced(6), meta=meta(minute=3))
    assert cell_of(folds.take([more])) == (6, 0, 0)
    assert kinds(folds) == {}


@pytest.mark.parametrize(("resolution", "place"), [(RIGHT, "S2"), (WRONG, "S1")])
def test_a_delivery_that_arrived_elsewhere(resolution: str, place: str) -> None:
    folds = settled_delivery(resolution, "misrouted", arrives(4, where="S2"), announced(4))
    assert {where for _, where in cells(folds)} == {place}


def test_a_decision_about_one_item_of_a_delivery_leaves_the_others() -> None:
    cups = replace(arrives(3), meta=meta(minute=4), sku="cup")
    cups_told = replace(announced(1), meta=meta(minute=1), sku="cup")
    about = arrives(6)
    decision = replace(decides(about, "over_received", WRONG), subject_id=subject_of("PO-1", "tea"))
    folds = Folds().take([decision, cups, about]).take([announced(4), cups_told])
    on_hand = {sku: cell["on_hand"] for (sku, _), cell in cells(folds).items()}
    assert on_hand == {"tea": 4, "cup": 3}
    assert unsettled(folds) == {("over_received", subject_of("PO-1", "cup"), "cup"): 2}


def test_a_line_told_anew_by_weight_is_expected_by_weight_alone() -> None:
    anew = replace(announced(5), meta=meta(minute=2), unit="kg", scale=1)
    folds = in_any_order(announced(4), anew)
    assert cells(folds) == {("tea", "S1\x1fkg"): {"incoming": 500}}
    folds = in_any_order(announced(4), anew, replace(arrives(5, at=3), unit="kg", scale=1))
    assert cells(folds) == {("tea", "S1\x1fkg"): {"on_hand": 500}}
    assert not kinds(folds)


@pytest.mark.parametrize("resolution, kept", ((RIGHT, 3), (WRONG, 0)))
def test_pieces_that_arrive_where_weight_was_announced_are_too_many(
    resolution: str, kept: int
) -> None:
    by_weight = replace(announced(4), unit="kg")
    folds = settled_delivery(resolution, "over_received", arrives(3), by_weight)
    assert kinds(folds) == {"over_received": 3}
    assert cells(folds).get(("tea", "S1"), {}).get("on_hand", 0) == kept
    assert cells(folds)["tea", "S1\x1fkg"] == {"incoming": 4_000}


@pytest.mark.parametrize("counted", ({}, {"unit": "kg", "scale": 2}), ids=("pieces", "by weight"))
def test_a_receipt_that_names_two_deliveries_leaves_rows_that_differ(counted: Any) -> None:
    """Rows that are equal in every column would be deleted together."""
    order = replace(announced(4), **counted)
    notice = replace(order, meta=meta(minute=1), document_id="ASN-1")
    both = replace(arrives(4), document_id="ASN-1", **counted)
    folds = in_any_order(order, notice, both)
    assert dated(folds) == {}
    for name in ("stock_promise", "stock_expected_move"):
        assert set((+folds.ledgers[name]).values()) == {1}
    late = replace(notice, meta=meta(minute=3), expected_at=at_minute(2_880))
    assert dated(folds.take([late])) == {}


def preorder(units: int, *, at: int = 1) -> Event:
    return sold(line("tea", units, expected_at=at_minute(1_440)), at=at)


@pytest.mark.parametrize(("resolution", "on_hand"), [(RIGHT, 1), (WRONG, 2)])
def test_more_is_shipped_than_was_preordered(resolution: str, on_hand: int) -> None:
    """The unit beyond is decided about; the one that was preordered has left either way."""
    folds = settled(
        resolution, "shipped_unordered", of_order(StockShipped, 2, at=4), received(3), preorder(1)
    )
    assert cell_of(folds) == (on_hand, 0, 0)
    assert dated(folds) == {}


@pytest.mark.parametrize(("resolution", "on_hand"), [(RIGHT, 2), (WRONG, 1)])
def test_a_preorder_that_is_released_too_often_waits_no_longer(
    resolution: str, on_hand: int
) -> None:
    """Of three one is shipped and three are released: one release is after the end."""
    folds = settled(
        resolution, "released_after_end", of_order(AllocationReleased, 3, at=4),
        received(2), preorder(3), of_order(StockShipped, at=3),
    )  # fmt: skip
    assert cell_of(folds) == (on_hand, 0, 0)
    assert dated(folds) == {}


def test_a_preorder_that_comes_back_has_left_and_waits_no_longer() -> None:
    """Nobody told that it was shipped: one of three came back, so two are still promised."""
    folds = in_any_order(received(5), preorder(3), back("tea"))
    assert cell_of(folds) == (5, 2, 0)
    assert [units["preordered"] for units in dated(folds).values()] == [2]
