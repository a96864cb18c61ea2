"""A correction names another code of the item than the sale or the order did. Pure.

Barcodes may be declared before, between or after what names them: `in_any_order` tells the
declarations at any place among the other documents.
"""

from __future__ import annotations

from typing import Any

import pytest

from projections.core.documents import packed
from projections.core.memory import Memory
from projections.shared_stock import cell
from schemas.generated.events import (
    AllocationReleased,
    Event,
    OrderLineHandedOver,
    StockAllocated,
    StockShipped,
)
from tests.projections.saying import named, tell
from tests.projections.shop_driving import GROUP, Folds
from tests.projections.shop_rows import cells, still_sold, unsettled
from tests.projections.test_item_codes import LONG, OTHER, SHORT, described
from tests.projections.test_sales_and_orders import (
    amended,
    back,
    cancelled,
    cell_of,
    in_any_order,
    kinds,
    line,
    of_order,
    sold,
    voided,
)

SOAP = described("soap", SHORT, OTHER)
PAIRS = [(SHORT, "soap"), ("soap", SHORT), (SHORT, OTHER), ("soap", LONG), (OTHER, LONG)]


def whole(folds: Folds) -> tuple[int, int, int]:
    """The cells of all codes of the item together."""
    every = [cell_of(folds, sku=sku) for sku in ("soap", SHORT, LONG, OTHER)]
    on_hand, committed, unavailable = (sum(column) for column in zip(*every, strict=True))
    return on_hand, committed, unavailable


def order_step(kind: Any, sku: str, units: int = 1, *, at: int = 3) -> Any:
    event = of_order(kind, units, at=at)
    event.sku = sku
    return event


def as_recomputed(*events: Event) -> Folds:
    """The rows after these, in whatever order; the same as from all of them at once."""
    folds = in_any_order(*events)
    memory = tell(Memory(GROUP), events)
    rows = memory.table(cell)
    for key, values in cells(folds).items():
        assert {name: rows[key][name] for name in values} == values
    for table in GROUP.document_sets:
        stored = {key: packed(row["documents"]) for key, row in memory.table(table).items()}
        folded = {key: packed(documents) for key, documents in folds.sets.get(table, {}).items()}
        assert folded == stored, table.name
    return folds


def still(folds: Folds) -> set[Any]:
    """Sale, line and code of what is still sold."""
    return set(still_sold(folds))


@pytest.mark.parametrize(("by", "back_by"), PAIRS)
def test_a_return_finds_the_line_by_any_code_of_the_item(by: str, back_by: str) -> None:
    folds = as_recomputed(SOAP, sold(line(by, 3)), back(back_by, 2))
    assert (kinds(folds), whole(folds)) == ({}, (-1, 0, 0))


def test_a_return_by_another_code_and_number_finds_the_line_and_not_more_units() -> None:
    lines = line(SHORT, 2), line("cup", number=2)
    folds = as_recomputed(SOAP, sold(*lines), back("soap", 3, number=2))
    assert kinds(folds) == {"over_return": 1}
    assert whole(folds) == (1, 0, 1)


def test_the_numbered_line_is_meant_though_another_has_the_very_code() -> None:
    lines = line(SHORT, 1), line("soap", 1, number=2)
    folds = as_recomputed(SOAP, sold(*lines), back("soap", number=1), back("cup", at=6))
    kept = {number for _, number, _ in still(folds)}
    assert (kinds(folds), kept) == ({"unknown_line": 1}, {2})


def test_codes_of_two_items_stay_two() -> None:
    other = described("gel", OTHER, minute=1)  # told later: the barcode is this item's
    folds = as_recomputed(SOAP, other, sold(line("soap")), back(OTHER))
    assert kinds(folds) == {}, "the barcode was declared by the item that was sold, too"
    both = sold(line("soap"), line("gel", number=2))
    folds = as_recomputed(SOAP, other, both, back(OTHER, number=9))
    assert {sku for _, _, sku in still(folds)} == {"soap"}, "the latest declaration comes first"
    folds = as_recomputed(SOAP, described("cup"), sold(line("cup")), back(SHORT))
    assert kinds(folds) == {"unknown_line": 1}


@pytest.mark.parametrize(("by", "other"), PAIRS)
def test_a_cancel_finds_the_line_by_any_code(by: str, other: str) -> None:
    folds = as_recomputed(SOAP, sold(line(by, 2, "SHIP")), cancelled(sku=other))
    assert (kinds(folds), whole(folds)) == ({}, (0, 1, 0))


@pytest.mark.parametrize(("by", "other"), PAIRS)
def test_an_amendment_by_another_code_changes_the_line(by: str, other: str) -> None:
    """2 sold, 1 came back, amended to 2: so 1 is still sold, not 2 as if of another item."""
    folds = as_recomputed(SOAP, sold(line(by, 2)), back(by), amended(line(other, 2), at=6))
    assert (kinds(folds), whole(folds)) == ({}, (-1, 0, 0))
    folds = as_recomputed(SOAP, sold(line(by, 2, "SHIP")), amended(line(other, 1, "SHIP"), at=6))
    assert (kinds(folds), whole(folds)) == ({}, (0, 1, 0))


@pytest.mark.parametrize(("by", "other"), PAIRS)
@pytest.mark.parametrize("leaves", [StockShipped, OrderLineHandedOver])
def test_an_order_is_shipped_by_any_code(by: str, other: str, leaves: Any) -> None:
    ordered = sold(line(by, 2, "SHIP"))
    folds = as_recomputed(
        SOAP, ordered, order_step(StockAllocated, other, 2), order_step(leaves, other, 2, at=4)
    )
    assert (kinds(folds), whole(folds)) == ({}, (-2, 0, 0))


@pytest.mark.parametrize(("by", "other"), PAIRS)
def test_an_allocation_and_a_release_by_another_code(by: str, other: str) -> None:
    ordered = sold(line(by, 3, "SHIP"))
    allocated = order_step(StockAllocated, other, 3)
    folds = as_recomputed(SOAP, ordered, allocated)
    assert (kinds(folds), whole(folds)) == ({}, (0, 3, 0))
    folds = as_recomputed(SOAP, ordered, allocated, order_step(AllocationReleased, other, 2))
    assert (kinds(folds), whole(folds)) == ({}, (0, 1, 0))


@pytest.mark.parametrize(("by", "other"), PAIRS)
def test_a_till_hands_an_order_out_by_another_code(by: str, other: str) -> None:
    ordered = sold(line(by, 2, "PICKUP"))
    served = sold(line(other, 2), at=3, receipt="till", order="r")
    folds = as_recomputed(SOAP, ordered, served)
    assert (kinds(folds), whole(folds)) == ({}, (-2, 0, 0))
    shipped = order_step(StockShipped, by, 2, at=4)
    folds = as_recomputed(SOAP, ordered, served, shipped)
    assert (kinds(folds), whole(folds)) == ({"doubled_document": 2}, (-2, 0, 0))
    ((_, _, sku),) = unsettled(folds)
    assert sku == other, "named by the code of the till, by which the sale is found"


def test_a_shipped_line_comes_back_by_another_code() -> None:
    folds = as_recomputed(
        SOAP, sold(line(SHORT, 2, "SHIP")), order_step(StockShipped, "soap", 2),
        back(OTHER, 2, at=6), voided(7),
    )  # fmt: skip
    assert (kinds(folds), whole(folds)) == ({"over_return": 2}, (0, 0, 0))


def test_a_plain_sale_and_a_return_that_fits_ask_nothing() -> None:
    folds = Folds().take([SOAP, sold(line(SHORT, 2)), back(SHORT)])
    for table, sets in folds.sets.items():
        assert not any(named("r").hex() in documents for documents in sets.values()), table.name


def test_what_was_asked_is_withdrawn() -> None:
    """An order is shipped before an amendment places what was shipped."""
    placed = line(SHORT, way="SHIP"), line("soap", way="SHIP", number=2)
    shipped = order_step(StockShipped, "soap", at=5)
    folds = as_recomputed(sold(placed[0]), shipped, amended(*placed))
    assert (kinds(folds), whole(folds)) == ({}, (-1, 1, 0))
    # a sale is amended, so its own question stays; the order asks nothing any more
    assert "stock_order_code" not in {table.name for table in folds.sets}
