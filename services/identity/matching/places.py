"""Compares places: address and postcode are one comparison.

Town, city and postcode depend on each other; separate comparisons would count the same evidence
three times. Levels are ordered by how few people share what agrees.
"""

from __future__ import annotations

from services.identity.matching import similarity
from services.identity.matching.features import Features

(
    DOOR, HOUSE, STREET_NUMBER, BUILDING, STREET, NUMBER, TOWN, AREA, CITY, DIFFERENT,
) = range(10)  # fmt: skip
MISSING = -1
LEVELS = (
    "same door", "same house", "street and number", "building", "street there",
    "number there", "street", "postcode and city", "postcode or city", "different",
)  # fmt: skip

Compared = tuple[int, str]
"""The level, and the shared term ("" when there is none)."""


def compare(one: Features, other: Features) -> Compared:
    """The closest level at which the known parts agree; MISSING when none is known in both."""
    code = _agrees(one.postcode, other.postcode)
    city = _similar(one.city, other.city)
    town = _similar(one.town, other.town)
    block = _agrees(one.block, other.block)
    building = _similar(one.building, other.building)
    if town is False and building is False:
        # street and building may stand in each other's field, as in forms with two address lines
        town = building = bool(
            _similar(one.town, other.building) and _similar(one.building, other.town)
        )
    if code is city is town is block is building is None:
        return MISSING, ""
    there = code or city
    if town and block:
        term = f"{one.town}\x1f{one.block}" if one.town == other.town else ""
        if building:
            return DOOR, term
        return (HOUSE if there else STREET_NUMBER), term
    if building and (town or there):
        return BUILDING, ""
    if town:
        return (STREET if there else TOWN), one.town if one.town == other.town else ""
    if block and there:
        return NUMBER, ""
    if code:
        return (AREA if city else CITY), one.postcode
    if city:
        return CITY, one.city if one.city == other.city else ""
    return DIFFERENT, ""


def _agrees(one: str, other: str) -> bool | None:
    return one == other if one and other else None


def _similar(one: str, other: str) -> bool | None:
    if not one or not other:
        return None
    return one == other or similarity.alike(one, other) <= similarity.NEAR
