"""Promises that cannot be kept, and the movements that took their units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from projections.catalog.barcodes import OWN_SKUS
from projections.core.instants import instant
from projections.shared_stock.item_cells import EXPECTED_OF_ITEMS, WHOLE_CELLS
from projections.shared_stock.preorders import COVERED, NOW
from schemas.measures import Units, UnitTold, everywhere_sql, location_and_unit, shown


class Cause(BaseModel):
    """A movement that took promised units. `units`: how many of them."""

    event_id: UUID
    at: datetime
    units: Units


class Shortage(BaseModel):
    """Promised units that are missing. `causes`: the latest movements that took as many."""

    sku: str
    location_id: str = Field(
        description='"": promised to orders without a location; the figures are of all locations.'
    )
    unit: UnitTold = None
    on_hand: Units
    committed: Units = Field(
        description="Units promised to orders, without preorders that units on their way cover."
    )
    unavailable: Units
    reserved: Units = Field(description='Units under holds; at "" those without a location.')
    short: Units
    causes: list[Cause]


# a location is short of what it has less than it promised; an item is short of what its orders
# without a location need and no location has free. Units that are unavailable are not there, and
# preorders that units on their way cover are not due yet. What is counted in one unit serves orders
# of the same unit. `of`: which items
SHORT = f"""
own as materialized ({OWN_SKUS}), held as (
    select * from (
        select coalesce(o.sku, r.sku) as sku, location_id, sum(reserved)::bigint as reserved
        from hitotsu.stock_reserved r left join own o on o.code = r.sku group by 1, 2
    ) r where {{of}}
), later as (
with stock_expected as ({EXPECTED_OF_ITEMS})
{COVERED.format(of="{of}", at=NOW)}
), due as (
    select sku, location_id, c.on_hand, c.unavailable,
        c.committed - coalesce(l.preordered, 0) as committed
    from ({WHOLE_CELLS}) c left join later l using (sku, location_id) where {{of}}
), short as (
    select sku, location_id, c.on_hand, c.committed, c.unavailable,
        coalesce(h.reserved, 0) as reserved,
        c.committed + coalesce(h.reserved, 0) - greatest(c.on_hand - c.unavailable, 0) as short
    from due c left join held h using (sku, location_id)
    where c.committed + coalesce(h.reserved, 0) > greatest(c.on_hand - c.unavailable, 0)
    union all
    select h.sku, h.location_id, t.on_hand, t.committed, t.unavailable, h.reserved,
        h.reserved - t.free
    from held h cross join lateral (
        select coalesce(sum(c.on_hand), 0)::bigint as on_hand,
            coalesce(sum(c.committed), 0)::bigint as committed,
            coalesce(sum(c.unavailable), 0)::bigint as unavailable,
            coalesce(sum(greatest(
                c.on_hand - c.unavailable - c.committed - coalesce(r.reserved, 0), 0
            )), 0)::bigint as free
        from due c left join held r using (sku, location_id)
        where c.sku = h.sku and {everywhere_sql("c.location_id")} = h.location_id
    ) t
    where h.location_id = {everywhere_sql("h.location_id")} and h.reserved > t.free
)
"""
OF_CODES = "any(array(select short.sku union select code from own where own.sku = short.sku))"
"""SQL: the codes of the item of a row of `SHORT`."""
SHORTAGES = f"""
with {SHORT.format(of="true")}
select short.*, elsewhere.at_location, moved.taken
from short
cross join lateral (
    select json_object_agg(s.location_id, s.short) as at_location
    from short s where s.sku = short.sku
        and short.location_id = {everywhere_sql("s.location_id")}
        and s.location_id <> short.location_id
) elsewhere
cross join lateral (
    select json_agg(json_build_array(m.event_id, m.at, m.units, m.location_id) order by m.at desc)
        as taken
    from (
        select event_id, at, units, location_id from (
            select event_id, at, -delta as units, location_id from stock_cell_change
            where sku = {OF_CODES} and delta < 0
                and short.location_id in ({everywhere_sql("location_id")}, location_id)
            union all
            select event_id, at, unavailable, location_id from stock_promise
            where sku = {OF_CODES} and unavailable > 0
                and short.location_id in ({everywhere_sql("location_id")}, location_id)
        ) every order by at desc limit 50
    ) m
) moved
where (short.sku, short.location_id) > (%(sku)s, %(location_id)s)
order by short.sku, short.location_id limit %(limit)s
"""


def shortage(row: Mapping[str, Any]) -> Shortage:
    """Converts a row of `SHORTAGES`."""
    told = row["at_location"] or {}
    location_id, unit = location_and_unit(row["location_id"])
    named = ("on_hand", "committed", "unavailable", "reserved", "short")
    causes = _causes(row["taken"] or [], row["short"], told, unit)
    return Shortage(
        sku=row["sku"], location_id=location_id, unit=unit, causes=causes,
        **{name: shown(row[name], unit) for name in named},
    )  # fmt: skip


def _causes(
    taken: Iterable[list[Any]], short: int, told: Mapping[str, int], unit: str | None
) -> list[Cause]:
    """The latest movements that together took the missing units; `told`: causes at locations."""
    causes, told = list[Cause](), defaultdict[str, int](int, told)
    for event_id, at, units, location_id in taken:
        if short <= 0:
            break
        elsewhere = min(units, told[location_id])
        told[location_id] -= elsewhere
        named = min(units - elsewhere, short)
        if named > 0:
            causes.append(Cause(event_id=event_id, at=instant(at), units=shown(named, unit)))
            short -= named
    return causes
