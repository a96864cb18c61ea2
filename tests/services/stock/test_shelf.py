"""Does the shelf that decides agree with what readers are told?"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.shared_stock.available import stock
from services.stock.shelf import ANYWHERE, Shelf

SKU, AT = "item", 1_000
LOCATIONS = ("a", "b", "c")
small = st.integers(0, 30)
cells = st.lists(
    st.fixed_dictionaries(
        {
            "location_id": st.sampled_from(LOCATIONS),
            "on_hand": st.integers(-5, 60),
            "committed": small,
            "unavailable": small,
            "reserved": small,
        }
    ),
    unique_by=lambda row: row["location_id"],
)
policies = st.lists(
    st.fixed_dictionaries(
        {
            "location_id": st.sampled_from(LOCATIONS),
            "sku": st.sampled_from((SKU, "", "another")),
            "valid_from": st.integers(0, 2_000),
            "safety_stock": small,
            "store_share": small,
            "company_threshold": small,
        }
    ),
    unique_by=lambda row: (row["location_id"], row["sku"], row["valid_from"]),
)
takes = st.lists(st.tuples(st.sampled_from(LOCATIONS), st.integers(-10, 10)))


@given(cells, policies, takes)
def test_it_promises_what_a_reader_sees_and_no_more(
    rows: list[dict[str, Any]], kept: list[dict[str, Any]], taken: list[tuple[str, int]]
) -> None:
    whole = [{"sku": SKU, "incoming": 0, **row} for row in rows]
    held = {(SKU, row["location_id"]): row["reserved"] for row in rows}
    shelf = Shelf(whole, kept, held, AT)
    for location, quantity in taken:
        shelf.take((SKU, location), quantity)
        for row in whole:
            row["reserved"] += quantity if row["location_id"] == location else 0
    seen = stock(SKU, whole, kept, AT)
    for cell in seen.locations:
        spot = (SKU, cell.location_id)
        assert shelf.room(spot, "STORE") == max(0, cell.available)
        online = min(max(0, cell.available - cell.store_share), seen.online_atp)
        assert shelf.room(spot, "EC") == online
    assert shelf.room(("unknown", "a"), "STORE") == 0


def online(stores: int, units: int, share: int, threshold: int, unplaced: int) -> tuple[int, int]:
    """Stores with so many units each: what EC may promise by the shelf, and as readers see it."""
    names = [f"S{number}" for number in range(stores)]
    cell = {"sku": SKU, "committed": 0, "unavailable": 0, "incoming": 0}
    rows = [{**cell, "location_id": name, "on_hand": units} for name in names]
    rule = {"sku": SKU, "valid_from": 0, "safety_stock": 0, "store_share": share}
    rules = [{**rule, "location_id": name, "company_threshold": threshold} for name in names]
    shelf = Shelf(rows, rules, {(SKU, ANYWHERE): unplaced}, AT)
    return shelf.room((SKU, ANYWHERE), "EC"), stock(SKU, rows, rules, AT, unplaced).online_atp


def test_the_two_published_figures() -> None:
    """100 - 5 x 4 - 10 - 50 orders not yet brokered; and 100 - 2 x 4 - 5 of another company."""
    assert online(stores=4, units=25, share=5, threshold=10, unplaced=50) == (20, 20)
    assert online(stores=4, units=25, share=2, threshold=5, unplaced=0) == (87, 87)
