"""Does the shelf that decides agree with what readers are told?"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.shared_stock.promisable_units import stock
from schemas.measures import place, shown
from services.stock.availability import ANYWHERE, REASONS, AvailableUnits

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
takes = st.lists(st.tuples(st.sampled_from((*LOCATIONS, ANYWHERE)), st.integers(-10, 10)))


@given(cells, policies, takes, small)
def test_it_promises_what_a_reader_sees_and_no_more(
    rows: list[dict[str, Any]],
    kept: list[dict[str, Any]],
    taken: list[tuple[str, int]],
    unplaced: int,
) -> None:
    whole = [{"sku": SKU, "incoming": 0, **row} for row in rows]
    held = {(SKU, row["location_id"]): row["reserved"] for row in rows} | {(SKU, ""): unplaced}
    shelf = AvailableUnits(whole, kept, held, AT)
    for location, quantity in taken:
        if location == ANYWHERE:
            quantity = max(quantity, -unplaced)
            unplaced += quantity
        shelf.take((SKU, location), quantity)
        for row in whole:
            row["reserved"] += quantity if row["location_id"] == location else 0
    seen = stock(SKU, whole, kept, AT, unplaced)
    assert shelf.room((SKU, ANYWHERE), "EC") == seen.online_atp
    for cell in seen.locations:
        spot = (SKU, cell.location_id)
        assert shelf.room(spot, "STORE") == cell.store_atp
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
    shelf = AvailableUnits(rows, rules, {(SKU, ANYWHERE): unplaced}, AT)
    return shelf.room((SKU, ANYWHERE), "EC"), stock(SKU, rows, rules, AT, unplaced).online_atp


def test_the_two_published_figures() -> None:
    """100 - 5 x 4 - 10 - 50 orders not yet brokered; and 100 - 2 x 4 - 5 of another company."""
    assert online(stores=4, units=25, share=5, threshold=10, unplaced=50) == (20, 20)
    assert online(stores=4, units=25, share=2, threshold=5, unplaced=0) == (87, 87)


@given(cells, policies, st.integers(0, 60), st.sampled_from(("STORE", "EC")), st.data())
def test_no_grant_leaves_more_promised_than_there_is(
    rows: list[dict[str, Any]],
    kept: list[dict[str, Any]],
    unplaced: int,
    channel: str,
    data: st.DataObject,
) -> None:
    """At the location, and over all: orders without a location find units free somewhere."""
    whole = [{"sku": SKU, "incoming": 0, **row} for row in rows]
    held = {(SKU, row["location_id"]): row["reserved"] for row in rows} | {(SKU, ""): unplaced}
    shelf = AvailableUnits(whole, kept, held, AT)
    spot = (SKU, data.draw(st.sampled_from((*LOCATIONS, ANYWHERE))))
    granted = shelf.room(spot, channel)
    assert granted == min(shelf._limits(spot, channel).values())
    if not granted:
        assert shelf.reason(spot, channel) in REASONS
        return
    for row in whole:
        row["reserved"] += granted if row["location_id"] == spot[1] else 0
    after = stock(SKU, whole, kept, AT, unplaced + (granted if spot[1] == ANYWHERE else 0))
    assert all(cell.available >= 0 for cell in after.locations if cell.location_id == spot[1])
    assert after.unplaced <= sum(max(0, cell.available) for cell in after.locations)
    assert shelf.room(spot, channel) == granted, "looking took nothing"


@given(cells, st.integers(0, 60))
def test_what_is_short_is_what_was_promised_beyond_what_is_there(
    rows: list[dict[str, Any]], unplaced: int
) -> None:
    """The committed may be below 0 for a while: a release that came before its allocation."""
    whole = [{"sku": SKU, "incoming": 0, **row} for row in rows]
    for row in whole[:1]:
        row["committed"] -= 20
    seen = stock(SKU, whole, [], AT, unplaced)
    free = 0
    for cell in seen.locations:
        there, promised = cell.on_hand - cell.unavailable, cell.committed + cell.reserved
        assert cell.short == max(0, promised - max(0, there))
        free += max(0, there - promised)
    assert seen.short == sum(cell.short for cell in seen.locations) + max(0, unplaced - free)


def two_stores(unplaced: int, on_hand: int = 10) -> AvailableUnits:
    """So many units at each of two stores, of each 2 for walk-ins and 1 for safety."""
    cell = {"sku": SKU, "committed": 0, "unavailable": 0, "on_hand": on_hand}
    rule = {"sku": SKU, "valid_from": 0, "safety_stock": 1, "store_share": 2}
    names = ("S1", "S2")
    return AvailableUnits(
        [{**cell, "location_id": name} for name in names],
        [{**rule, "location_id": name, "company_threshold": 3} for name in names],
        {(SKU, ANYWHERE): unplaced},
        AT,
    )


def test_each_limit_has_its_reason() -> None:
    assert [two_stores(5).room((SKU, where), "STORE") for where in ("S1", "S2")] == [9, 9]
    shelf = two_stores(11)
    assert (shelf.room((SKU, "S1"), "STORE"), shelf.room((SKU, ANYWHERE), "EC")) == (7, 0)
    assert shelf.reason((SKU, "S1"), "STORE") == "promised-online"
    assert shelf.reason((SKU, ANYWHERE), "EC") == "company-threshold"
    assert shelf.reason((SKU, ANYWHERE), "STORE") == "no-location"
    assert shelf.reason((SKU, "S3"), "EC") == "not-stocked"
    assert two_stores(14).reason((SKU, "S1"), "EC") == "promised-online"
    assert two_stores(0).reason((SKU, "S1"), "STORE") == "not-available"
    assert two_stores(0).reason((SKU, "S1"), "EC") == "store-share"
    assert two_stores(0, on_hand=1).reason((SKU, ANYWHERE), "EC") == "not-available-online"


def test_a_promise_comes_before_what_is_kept_back() -> None:
    """Placed where it is online; then from the store's share; then from the safety stock."""
    assert two_stores(14).placeable((SKU, "S1")) == 7
    assert two_stores(15).placeable((SKU, "S1")) == 9
    assert two_stores(19).placeable((SKU, "S1")) == 10
    assert two_stores(19).placeable((SKU, "S3")) == 0


AMOUNTS = ("safety_stock", "store_share", "company_threshold")
SHOWN = ("on_hand", "committed", "reserved", "unavailable", "available", "store_atp", "short")


@given(cells, cells, policies, takes, takes, small, small)
def test_what_is_measured_is_promised_as_an_item_of_its_own_in_thousandths(
    pieces: list[dict[str, Any]],
    weighed: list[dict[str, Any]],
    kept: list[dict[str, Any]],
    taken: list[tuple[str, int]],
    taken_by_weight: list[tuple[str, int]],
    unplaced: int,
    unplaced_by_weight: int,
) -> None:
    """Two units of one item are as two items, of which one has policies in thousandths."""
    finer = [{**rule, **{name: rule[name] * 1_000 for name in AMOUNTS}} for rule in kept]
    other = [row | {name: row[name] * 777 for name in SHOWN[:4]} for row in weighed]
    mixed = [{"sku": SKU, "incoming": 0, **row} for row in pieces]
    mixed += [
        {"sku": SKU, "incoming": 0, **row, "location_id": place(row["location_id"], "kg")}
        for row in other
    ]
    held = {row["location_id"]: row["reserved"] for row in mixed}
    held |= {"": unplaced, place("", "kg"): unplaced_by_weight}
    alone = {
        None: ([{"sku": SKU, "incoming": 0, **row} for row in pieces], kept, unplaced),
        "kg": ([{"sku": SKU, "incoming": 0, **row} for row in other], finer, unplaced_by_weight),
    }
    together = AvailableUnits(mixed, kept, {(SKU, at): units for at, units in held.items()}, AT)
    seen = stock(SKU, mixed, kept, AT, unplaced, held)
    figures = {seen.unit: seen} | {one.unit: one for one in seen.other_units or []}
    for unit, (rows, rules, without) in alone.items():
        own = {(SKU, row["location_id"]): row["reserved"] for row in rows} | {(SKU, ""): without}
        shelf = AvailableUnits(rows, rules, own, AT)
        for location, quantity in taken if unit is None else taken_by_weight:
            shelf.take((SKU, location), quantity)
            together.take((SKU, place(location, unit)), quantity)
        for location in (*LOCATIONS, ANYWHERE):
            for channel in ("EC", "STORE"):
                spot, measured = (SKU, location), (SKU, place(location, unit))
                assert together.room(measured, channel) == shelf.room(spot, channel)
                assert together.reason(measured, channel) == shelf.reason(spot, channel)
                assert together.placeable(measured) == shelf.placeable(spot)
        expected = stock(SKU, rows, rules, AT, without)
        if rows:
            assert figures[unit].online_atp == shown(int(expected.online_atp), unit)
            assert figures[unit].short == shown(int(expected.short), unit)
        found = [cell for cell in seen.locations if cell.unit == unit]
        for cell, want in zip(found, expected.locations, strict=True):
            assert cell.location_id == want.location_id
            for name in SHOWN:
                assert getattr(cell, name) == shown(getattr(want, name), unit)
