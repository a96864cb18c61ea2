"""Reads of stock."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel

from projections.core import NotFound, Read
from projections.core.instants import micros
from projections.shared_stock import cell, policy, projection
from projections.shared_stock.available import Stock, stock


class CellOnHand(BaseModel):
    """One item at one location."""

    sku: str
    location_id: str
    on_hand: int
    committed: int
    unavailable: int
    incoming: int


@projection.query("/v1/stock/{sku}", scope="stock:read")
async def stock_of(read: Read, sku: str, at: datetime | None = None) -> Stock:
    """Every location of an item, and what EC may sell under the policies in force."""
    cells = await read.rows(cell, sku=sku)
    if not cells:
        raise NotFound(f"no stock of {sku} was ever seen")
    policies = await read.rows(policy, location_id=[row["location_id"] for row in cells])
    reserved = await read.reserved(sku)
    unplaced = (reserved or {}).get("", 0)
    known = [{**row, "reserved": (reserved or {}).get(row["location_id"], 0)} for row in cells]
    found = stock(sku, known, list(policies), micros(at or datetime.now(UTC)), unplaced)
    found.reserved_known = reserved is not None
    return found


@projection.query("/v1/stock", scope="stock:read")
async def cells_page(read: Read) -> list[CellOnHand]:
    """Every cell, page by page."""
    limit, after = read.page()
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
    return [CellOnHand(**row) for row in rows[:limit]]
