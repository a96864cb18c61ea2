"""Queries about stock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from projections.catalog import item_code
from projections.catalog.barcodes import ItemCodes, item_of
from projections.core import NotFound, Page, Read
from projections.core.instants import Moment, instant, micros
from projections.core.tables import StoredTable
from projections.shared_stock import (
    RESERVED,
    cell,
    count,
    expected,
    expected_move,
    policy,
    projection,
    promise,
)
from projections.shared_stock import discrepancies as _discrepancies  # noqa: F401
from projections.shared_stock import former_cells as _former_cells  # noqa: F401
from projections.shared_stock import zone_queries as _zone_queries  # noqa: F401
from projections.shared_stock.expected_units import EXPECTED_NOW, EXPECTED_THEN, ExpectedStock
from projections.shared_stock.history import BEFORE, FOREVER, MOVEMENTS, PLACES, STANDING
from projections.shared_stock.item_cells import of_item, whole_cells
from projections.shared_stock.on_hand_parts import Explained, explained
from projections.shared_stock.promisable_units import Stock, stock
from projections.shared_stock.shortages import SHORTAGES, Shortage, shortage
from schemas.fields import AskedCode, AskedLocation
from schemas.measures import Units, UnitTold, location_and_unit, place, shown, unit_name


class CellOnHand(BaseModel):
    """One item at one location, counted in one unit."""

    sku: str
    location_id: str
    unit: UnitTold = None
    on_hand: Units
    committed: Units
    unavailable: Units
    incoming: Units


@projection.query("/v1/stock/{sku}", scope="stock:read")
async def stock_of(
    read: Read, sku: AskedCode, at: Moment | None = None, as_of: Moment | None = None
) -> Stock:
    """An item at every location, and what EC may sell under the policies in force.

    `sku`: any code of the item; its codes are read together, and the answer has its own sku.
    `at`: the time at which policies and dates of preorders are evaluated; default now, or `as_of`.
    `as_of`: the stock as of that event time; past holds are not stored, so `reserved_known` is
    false then.
    """
    policies_at = micros(at or as_of or datetime.now(UTC))
    item = await item_of(read, sku, policies_at)
    if as_of is not None:
        rows = await _select(
            read, item, [cell, count, promise], STANDING, at=micros(as_of), location_id=None
        )
        if not rows:
            raise NotFound(f"no stock of {sku} was seen by {as_of.isoformat()}")
        due = ExpectedStock(policies_at)
        if any(row["incoming"] for row in rows):
            uses = [cell, expected_move]
            due.add(await _select(read, item, uses, EXPECTED_THEN, at=micros(as_of)))
        found = stock(
            item.sku, rows, await _policies(read, rows), policies_at, preordered=due.covered
        )
        found.as_of, found.reserved_known = instant(micros(as_of)), False
        found.expected = due.shown
        return found
    codes = list(item.codes)
    cells = await read.rows(cell, sku=codes)
    if not cells:
        raise NotFound(f"no stock of {sku} was ever seen")
    due = ExpectedStock(policies_at)
    # nothing can cover a preorder of an item of which nothing is on its way
    if any(row["incoming"] for row in cells):
        # cells once more, so that both are of one moment
        cells = await read.select_if_up([cell, expected], EXPECTED_NOW, codes=codes) or cells
        for row in cells:
            due.add(row.get("expected", ()))
    policies = await _policies(read, cells)
    reserved = await read.held(RESERVED, codes, cells)
    held = dict[str, int]()
    for (_, location_id), units in (reserved or {}).items():
        held[location_id] = held.get(location_id, 0) + units
    if len(codes) > 1:
        cells = await whole_cells(read, item, cells)
    found = stock(item.sku, cells, policies, policies_at, held.get("", 0), held, due.covered)
    found.reserved_known, found.expected = reserved is not None, due.shown
    return found


async def _select(
    read: Read, item: ItemCodes, uses: list[StoredTable], statement: str, **values: object
) -> list[dict[str, Any]]:
    """The rows of a SELECT about `sku`, over all codes of the item."""
    if len(item.codes) == 1:
        return await read.select(uses, statement, sku=item.sku, **values)
    codes = list(item.codes)
    return await read.select(uses, of_item(statement), sku=item.sku, codes=codes, **values)


async def _policies(read: Read, cells: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    at = [location_and_unit(row["location_id"])[0] for row in cells]
    return list(await read.rows(policy, location_id=at))


@projection.query("/v1/stock", scope="stock:read")
async def cells_page(read: Read, page: Page) -> list[CellOnHand]:
    """Every cell, page by page."""
    limit, after = page.limit, page.after
    rows = await read.select(
        [cell],
        "select sku, location_id, on_hand, committed, unavailable, incoming from stock_cell"
        " where (sku, location_id) > (%(sku)s, %(location_id)s)"
        " order by sku, location_id limit %(limit)s",
        sku=after[0] if after else "",
        location_id=after[1] if after else "",
        limit=limit + 1,
    )
    if len(rows) > limit:
        read.more([rows[limit - 1]["sku"], rows[limit - 1]["location_id"]])
    return [_on_hand(row) for row in rows[:limit]]


def _on_hand(row: Mapping[str, Any]) -> CellOnHand:
    location_id, unit = location_and_unit(row["location_id"])
    amounts = ("on_hand", "committed", "unavailable", "incoming")
    return CellOnHand(
        sku=row["sku"], location_id=location_id, unit=unit,
        **{name: shown(row[name], unit) for name in amounts},
    )  # fmt: skip


@projection.query("/v1/stock/{sku}/movements", scope="stock:read")
async def movements_of(
    read: Read, page: Page, sku: AskedCode, location_id: AskedLocation,
    as_of: Moment | None = None, unit: str | None = None,
) -> Explained:  # fmt: skip
    """Every movement of an item at a location, newest event time first.

    `as_of`: only what had happened by then. `unit`: of an item that is counted in several.
    """
    limit, after = page.limit, page.after
    until = FOREVER if as_of is None else micros(as_of)
    item = await item_of(read, sku, micros(datetime.now(UTC)))
    uses, cell_key = [cell, count, promise], {"location_id": location_id}
    if unit is not None:
        # a word for pieces means them, an empty one the decimals that have no unit
        cell_key["location_id"] = place(location_id, unit_name(unit) or (None if unit else ""))
    standing = await _select(read, item, uses, STANDING, at=until, **cell_key)
    if not standing and unit is None:  # it is not counted in pieces there
        cell_key["location_id"] = await _first_place(read, item, location_id)
        standing = await _select(read, item, uses, STANDING, at=until, **cell_key)
    if not standing:
        raise NotFound(f"no stock of {sku} at {location_id} was seen by then")
    names = ("at", "step", "counted", "event_id")
    last = dict(zip(names, after or (until, None, None, None), strict=True))
    rows = await _select(read, item, uses, MOVEMENTS, limit=limit + 1, **cell_key, **last)
    if len(rows) > limit:
        rows = rows[:limit]
        read.more([str(row) if isinstance(row, UUID) else row for row in _named(rows[-1], names)])
    before = 0
    if rows:
        oldest = dict(zip(names, _named(rows[-1], names), strict=True))
        (found,) = await _select(read, item, uses, BEFORE, **cell_key, **oldest)
        before = found["on_hand"]
    return explained(item.sku, standing[0], rows, before)


async def _first_place(read: Read, item: ItemCodes, location_id: str) -> str:
    """The key of the item's stock there; if it has several, of the first unit."""
    rows = await _select(read, item, [cell], PLACES, location_id=location_id)
    return rows[0]["location_id"] if rows else location_id


def _named(row: Mapping[str, Any], names: Iterable[str]) -> list[Any]:
    return [row[name] for name in names]


@projection.query("/v1/stock-shortages", scope="stock:read")
async def shortages(read: Read, page: Page) -> list[Shortage]:
    """Promises that are no longer covered, and the movements that took their units.

    Promises to orders without a location are short when no location has free units for them. A
    count that lowered the stock is no movement, so its units have no cause.
    """
    limit, after = page.limit, page.after
    rows = await read.select(
        [cell, promise, expected, item_code],
        SHORTAGES,
        sku=after[0] if after else "",
        location_id=after[1] if after else "",
        limit=limit + 1,
    )
    if len(rows) > limit:
        read.more([rows[limit - 1]["sku"], rows[limit - 1]["location_id"]])
    return [shortage(row) for row in rows[:limit]]
