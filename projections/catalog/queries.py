"""What is an item or a location called? For callers that show a code and want its name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from projections.catalog import item, location, projection, version_at
from projections.catalog.barcodes import item_of
from projections.core import NotFound, Read
from projections.core.instants import Moment, instant, micros
from schemas.calendars import DEFAULT_ZONE
from schemas.fields import AskedCode, AskedLocation


class ItemName(BaseModel):
    """An item as described from `valid_from` on. `until`: when the next description begins."""

    sku: str
    name: str
    category: str
    product_id: str | None = Field(description="The product of which it is a variant.")
    size: str | None
    colour: str | None
    barcodes: list[str] = Field(description="Those that belong to it now, in every length.")
    valid_from: datetime
    until: datetime | None


class LocationName(BaseModel):
    """A store or warehouse as described from `valid_from` on. `until`: when the next description
    begins. Latitude and longitude in degrees north and east. `day_starts_at`: when its business day
    starts, by the clock of its `time_zone`.
    """

    location_id: str
    kind: str
    name: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    day_starts_at: str
    valid_from: datetime
    until: datetime | None


@projection.query("/v1/items/{sku}", scope="stock:read")
async def item_named(read: Read, sku: AskedCode, at: Moment | None = None) -> ItemName:
    """An item's name and category. `sku`: any of its codes. `at`: as described for that time;
    default now.
    """
    known = await item_of(read, sku, micros(at or datetime.now(UTC)))
    row, until = _in_force(await read.rows(item, sku=known.sku), at, f"item {sku}")
    return ItemName(
        sku=known.sku,
        name=row["name"],
        category=row["category"],
        product_id=row["product_id"],
        size=row["size"],
        colour=row["colour"],
        barcodes=list(known.codes[1:]),
        valid_from=instant(row["valid_from"]),
        until=until,
    )


@projection.query("/v1/locations/{location_id}", scope="stock:read")
async def location_named(
    read: Read, location_id: AskedLocation, at: Moment | None = None
) -> LocationName:
    """A store's or warehouse's name, kind and place. `at`: as described for that time; default
    now.
    """
    rows = await read.rows(location, location_id=location_id)
    row, until = _in_force(rows, at, f"location {location_id}")
    return LocationName(
        location_id=location_id,
        kind=row["kind"],
        name=row["name"],
        latitude=_degrees(row["latitude_e6"]),
        longitude=_degrees(row["longitude_e6"]),
        time_zone=row.get("time_zone") or DEFAULT_ZONE,
        day_starts_at="{:02}:{:02}".format(*divmod(row.get("day_starts_at") or 0, 60)),
        valid_from=instant(row["valid_from"]),
        until=until,
    )


def _in_force(
    versions: list[dict[str, Any]], at: datetime | None, what: str
) -> tuple[Mapping[str, Any], datetime | None]:
    """The version in force, and when the next begins; NotFound where none has begun."""
    when = micros(at or datetime.now(UTC))
    row = version_at(versions, when)
    if row is None:
        known = " at that time" if versions else ""
        raise NotFound(f"no {what} is described{known}")
    later = [version["valid_from"] for version in versions if version["valid_from"] > when]
    return row, instant(min(later)) if later else None


def _degrees(millionths: int | None) -> float | None:
    return None if millionths is None else millionths / 1e6
