"""The stock of an item whose codes have cells of their own: read together, stored apart.

On hand at a location is the latest count of any of the codes, and what moved of all of them at or
after it; all other columns add up. Where nothing was counted, on hand adds up too, so the rows that
were read are enough; else the counts and movements of all codes are read as if they had one code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from projections.catalog.barcodes import OWN_SKUS, ItemCodes
from projections.core import Read
from projections.shared_stock import cell, count
from projections.shared_stock.zones import ON_HAND

Row = Mapping[str, Any]
_SUMS = ("committed", "unavailable", "incoming")

# tables that statements about one sku read; of an item they have the rows of all its codes
_OF_ITEM = {
    "stock_cell": "location_id",
    "stock_cell_change": "event_id, location_id, at, delta",
    "stock_count": "event_id, location_id, counted_at, quantity, zone",
    "stock_promise": "event_id, location_id, at, committed, unavailable, incoming",
    "stock_expected_move": "event_id, location_id, at, expected_at, incoming, preordered",
}
_WITH = ", ".join(
    f"{table} as not materialized (select {'distinct ' * (table == 'stock_cell')}"
    f"%(sku)s::text as sku, {columns} from {table} where sku = any(%(codes)s))"
    for table, columns in _OF_ITEM.items()
)
# counts and changes of all codes under their item's own sku; after a CTE `item` (own, code)
_UNDER_OWN_SKU = """), stock_count as not materialized (
    select c.event_id, i.own as sku, c.location_id, c.counted_at, c.quantity, c.zone
    from item i join stock_count c on c.sku = i.code
), stock_cell_change as not materialized (
    select c.event_id, i.own as sku, c.location_id, c.at, c.delta
    from item i join stock_cell_change c on c.sku = i.code
"""
# on hand of whole items at the location of each of their cells; `owns`: the own sku of each code
TOGETHER = f"""
with item as materialized (
    select * from unnest(%(owns)s::text[], %(codes)s::text[]) i(own, code)
{_UNDER_OWN_SKU})
select t.sku, t.location_id, {ON_HAND}::bigint as on_hand
from (
    select distinct i.own as sku, c.location_id from item i join stock_cell c on c.sku = i.code
) t
"""


# the cells of all items, one a location: those of codes that stand alone as they are
_ADDED_UP = """
select coalesce(o.sku, c.sku) as sku, c.location_id, sum(c.on_hand)::bigint as on_hand,
    sum(c.committed)::bigint as committed, sum(c.unavailable)::bigint as unavailable,
    count(*) > 1 and bool_or(c.on_hand_read_at is not null) as counted
from item i join stock_cell c on c.sku = i.code left join own o on o.code = c.sku
group by 1, 2
"""
WHOLE_CELLS = f"""
with own as materialized ({OWN_SKUS}), item as materialized (
    select sku as own, code from own union select sku, sku from own
{_UNDER_OWN_SKU})
select c.sku, c.location_id, c.on_hand, c.committed, c.unavailable from stock_cell c
where not exists (select from item i where i.code = c.sku)
union all
select t.sku, t.location_id, case when t.counted then {ON_HAND}::bigint else t.on_hand end,
    t.committed, t.unavailable
from ({_ADDED_UP}) t
"""
EXPECTED_OF_ITEMS = f"""
select coalesce(o.sku, e.sku) as sku, e.location_id, e.expected_at, e.incoming, e.preordered
from stock_expected e left join ({OWN_SKUS}) o on o.code = e.sku
"""


def of_item(statement: str) -> str:
    """A statement about `sku` that reads the rows of all of `codes` under that sku."""
    body = statement.strip()
    return f"with {_WITH}" + (f", {body[5:]}" if body.startswith("with ") else f" {body}")


def needs_counts(rows: Iterable[Row], owns: Mapping[str, str]) -> set[str]:
    """The items of which on hand does not follow from these cells: one code was counted, and
    another has a cell at the same location.

    `owns`: the own sku by code, of codes of items that have several.
    """
    seen: dict[tuple[str, str], bool] = {}
    found = set()
    for row in rows:
        own = owns.get(row["sku"], row["sku"])
        spot, was_counted = (own, row["location_id"]), row["on_hand_read_at"] is not None
        if spot in seen and (was_counted or seen[spot]):
            found.add(own)
        seen[spot] = seen.get(spot, False) or was_counted
    return found


def merged(
    rows: Iterable[Row], owns: Mapping[str, str], on_hand: Mapping[tuple[str, str], int]
) -> list[dict[str, Any]]:
    """One cell for each item and location. `on_hand`: where it is not the sum of the cells."""
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        spot = owns.get(row["sku"], row["sku"]), row["location_id"]
        whole = cells.get(spot)
        if whole is None:
            cells[spot] = {**row, "sku": spot[0]}
            continue
        for name in ("on_hand", *_SUMS) if "incoming" in row else ("on_hand", *_SUMS[:2]):
            whole[name] += row[name]
    for spot, units in on_hand.items():
        if spot in cells:
            cells[spot]["on_hand"] = units
    return [cells[spot] for spot in sorted(cells)]


async def whole_cells(
    read: Read, item: ItemCodes, rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The cells of an item, one a location, of the rows of all its codes."""
    owns = dict.fromkeys(item.codes, item.sku)
    on_hand: dict[tuple[str, str], int] = {}
    if needs_counts(rows, owns):
        codes = list(item.codes)
        found = await read.select(
            [cell, count], TOGETHER, owns=[item.sku] * len(codes), codes=codes
        )
        on_hand = {(row["sku"], row["location_id"]): row["on_hand"] for row in found}
    return merged(rows, owns, on_hand)
