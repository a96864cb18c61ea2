"""Does the shelf that decides agree with what readers are told?"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.shared_stock.available import stock
from services.stock.shelf import Shelf

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


def published(store: int, share: int, threshold: int) -> int:
    """One location of so many units, as Online ATP is worked out in the field."""
    rows = [{"sku": SKU, "location_id": "a", "on_hand": store, "committed": 0, "unavailable": 0}]
    rules = [
        {
            "location_id": "a", "sku": SKU, "valid_from": 0, "safety_stock": 0,
            "store_share": share, "company_threshold": threshold,
        }
    ]  # fmt: skip
    return Shelf(rows, rules, {}, AT).room((SKU, "a"), "EC")


def test_a_share_and_a_threshold_are_left_to_the_stores() -> None:
    assert published(100, 10, 3) == 87
    assert published(10, 10, 0) == 0
