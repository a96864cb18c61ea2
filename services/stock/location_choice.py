"""Lists the locations that have enough units for every line of an order, nearest or best stocked
first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from projections.shared_stock.promisable_units import in_force
from schemas.measures import Amount, amount, place, shown
from services.stock.availability import AvailableUnits
from services.stock.commands import LINES_MAX, QUANTITY_MAX, Code, Decimals, ItemCode, Unit

EARTH_KM = 6_371.0088  # IUGG mean radius


class WantedUnits(BaseModel):
    """Units of one item, at any location."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sku: ItemCode
    quantity: int = Field(ge=1, le=QUANTITY_MAX)
    unit: Unit = None
    scale: Decimals = 0

    @property
    def amount(self) -> Amount:
        """The quantity as stock is counted."""
        return amount(self.quantity, self.unit, self.scale)


class GeoPoint(BaseModel):
    """A point on the earth, in degrees."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


def _once(lines: list[WantedUnits]) -> list[WantedUnits]:
    if len({line.sku for line in lines}) != len(lines):
        raise ValueError("lines must not repeat the same item")
    return lines


class PickBody(BaseModel):
    """The order's lines, and how to sort and filter the locations.

    `rule` "distance": nearest to `near` first, locations without coordinates last; without `near`
    by id. "most_stock": most `spare` units first. `kinds`: only locations of these kinds; empty:
    all.
    """

    model_config = ConfigDict(extra="forbid")
    channel: Literal["STORE", "EC", "CALL_CENTRE", "OTHER"]
    lines: Annotated[
        list[WantedUnits], Field(min_length=1, max_length=LINES_MAX), AfterValidator(_once)
    ]
    near: GeoPoint | None = None
    rule: Literal["distance", "most_stock"] = "distance"
    kinds: list[Code] = Field(default_factory=list, max_length=10)
    limit: int = Field(10, ge=1, le=100)


def kilometres(one: GeoPoint, other: GeoPoint) -> float:
    """The great-circle distance in kilometres, by the haversine formula (Sinnott 1984)."""
    a, b = math.radians(one.latitude), math.radians(other.latitude)
    along = math.radians(other.longitude - one.longitude)
    half = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(along / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


def picked(
    body: PickBody, shelf: AvailableUnits, locations: Iterable[Mapping[str, Any]], at: int
) -> list[dict[str, Any]]:
    """The first `body.limit` locations with enough units for every line, sorted by `body.rule`.

    `locations`: rows of all versions. `at`: microseconds.
    """
    versions: dict[str, list[Mapping[str, Any]]] = {}
    for row in locations:
        versions.setdefault(row["location_id"], []).append(row)
    found = []
    for location_id, rows in versions.items():
        described = in_force(rows, at) or {}
        if body.kinds and described.get("kind") not in body.kinds:
            continue
        rooms = [
            (line, shelf.room((line.sku, place(location_id, line.amount.unit)), body.channel))
            for line in body.lines
        ]
        if any(room < line.amount.quantity for line, room in rooms):
            continue
        away = _away(body.near, described)
        found.append(
            {
                "location_id": location_id, "name": described.get("name"),
                "kind": described.get("kind"),
                "available": {line.sku: shown(room, line.amount.unit) for line, room in rooms},
                "kilometres": None if away is None else round(away, 3),
                "spare": min(
                    shown(room - line.amount.quantity, line.amount.unit) for line, room in rooms
                ),
            }
        )  # fmt: skip
    return sorted(found, key=lambda one: _rank(body, one))[: body.limit]


def _rank(body: PickBody, one: dict[str, Any]) -> tuple[float, str]:
    if body.rule == "most_stock":
        return (-one["spare"], one["location_id"])
    away = one["kilometres"]
    return (math.inf if away is None else away, one["location_id"])


def _away(near: GeoPoint | None, described: Mapping[str, Any]) -> float | None:
    latitude, longitude = described.get("latitude_e6"), described.get("longitude_e6")
    if near is None or latitude is None or longitude is None:
        return None
    return kilometres(near, GeoPoint(latitude=latitude / 1e6, longitude=longitude / 1e6))
