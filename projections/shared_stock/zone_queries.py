"""The query about zones of locations that were counted."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from projections.catalog.barcodes import item_of
from projections.core import NotFound, Read
from projections.core.instants import Moment, instant, micros
from projections.core.level_parts import PartReading, PartSetting
from projections.shared_stock import cell, count, projection, promise, selling_zone
from projections.shared_stock.history import FOREVER, STANDING
from projections.shared_stock.item_cells import of_item
from projections.shared_stock.zones import selling_zone as zone_that_sells
from projections.shared_stock.zones import since_whole_count
from schemas.fields import AskedCode, AskedLocation
from schemas.measures import Units, UnitTold, location_and_unit, location_sql, shown

COUNTS = """
select c.location_id, c.counted_at, c.quantity, c.zone from stock_count c
where c.sku = %(sku)s and c.counted_at <= %(at)s
    and (%(location_id)s::text is null or {location} = %(location_id)s)
    and exists (
        select from stock_count z where z.sku = c.sku and z.location_id = c.location_id
            and z.zone is not null and z.counted_at <= %(at)s
    )
""".replace("{location}", location_sql("c.location_id"))
SELLING = """
select location_id, valid_from, zone from stock_selling_zone where location_id = any(%(named)s)
"""


class ZoneOnHand(BaseModel):
    """A zone that was counted since the last whole count."""

    zone: str
    on_hand: Units
    counted: Units = Field(description="In its latest count.")
    counted_at: datetime
    sells: bool = Field(description="Whether units that move without a zone are its own.")


class ZonesOfLocation(BaseModel):
    """A location of which zones were counted; on hand is the sum of its zones and `elsewhere`.

    `elsewhere`: units that are in none of these zones, as far as anybody knows. They are those of
    the last whole count and what moved since, until the selling zone is counted; negative: so many
    left, and no zone was counted since that lacks them.
    """

    location_id: str
    unit: UnitTold = None
    on_hand: Units
    selling_zone: str | None = Field(description="Null: the location's description names none.")
    elsewhere: Units
    zones: list[ZoneOnHand]


class Zones(BaseModel):
    """An item at the locations of which zones were counted since their last whole count."""

    sku: str
    locations: list[ZonesOfLocation]
    as_of: datetime | None = None


@projection.query("/v1/stock/{sku}/zones", scope="stock:read")
async def zones_of(
    read: Read,
    sku: AskedCode,
    location_id: AskedLocation | None = None,
    as_of: Moment | None = None,
) -> Zones:
    """What is on hand in zones that were counted; 404 if no stock of the item was ever seen.

    `as_of`: as it stood at that event time.
    """
    at = FOREVER if as_of is None else micros(as_of)
    asked: dict[str, Any] = {"sku": sku, "at": at, "location_id": location_id}
    item = await item_of(read, sku, micros(datetime.now(UTC)))
    asked |= {"sku": item.sku, "codes": list(item.codes)}
    everywhere = asked | {"location_id": None}
    standing = await read.select([cell, count, promise], of_item(STANDING), **everywhere)
    cells = [
        row for row in standing if location_id in (None, location_and_unit(row["location_id"])[0])
    ]
    if not cells:
        raise NotFound(f"no stock of {sku} was seen by then")
    told: dict[str, list[PartReading]] = defaultdict(list)
    for row in await read.select([count], of_item(COUNTS), **asked):
        reading = PartReading(row["counted_at"], row["quantity"], row["zone"])
        told[row["location_id"]].append(reading)
    selling: dict[str, list[PartSetting]] = defaultdict(list)
    named = sorted({location_and_unit(place)[0] for place in told})
    for row in await read.select([selling_zone], SELLING, named=named) if told else ():
        selling[row["location_id"]].append(PartSetting(row["valid_from"], row["zone"]))
    found = [
        _location(at_place, row["on_hand"], counts, selling[location_and_unit(at_place)[0]])
        for at_place, row in ((row["location_id"], row) for row in cells)
        if (counts := since_whole_count(told[at_place])[1])
    ]
    return Zones(sku=item.sku, locations=found, as_of=as_of and instant(at))


def _location(
    place: str, on_hand: int, counts: list[PartReading], selling: list[PartSetting]
) -> ZonesOfLocation:
    location_id, unit = location_and_unit(place)
    latest = {one.part: one for one in counts if one.part is not None}
    seller = zone_that_sells(selling, counts[-1].at)
    elsewhere = on_hand - sum(one.value for one in latest.values())
    moved, elsewhere = (elsewhere, 0) if seller in latest else (0, elsewhere)
    return ZonesOfLocation(
        location_id=location_id, unit=unit, on_hand=shown(on_hand, unit), selling_zone=seller,
        elsewhere=shown(elsewhere, unit),
        zones=[
            ZoneOnHand(
                zone=zone, on_hand=shown(one.value + (moved if zone == seller else 0), unit),
                counted=shown(one.value, unit), counted_at=instant(one.at), sells=zone == seller,
            )
            for zone, one in sorted(latest.items())
        ],
    )  # fmt: skip
