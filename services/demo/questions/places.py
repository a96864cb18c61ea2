"""The oracle's words for locations and items."""

from __future__ import annotations

from services.demo.shop import names

PLACES = {
    names.location(store): "warehouse" if store is None else f"store {store}"
    for store in (*range(1, names.STORES + 1), None)
}
LOCATIONS = {place: location for location, place in PLACES.items()}


def place_of(location: str | None) -> str | None:
    """The oracle's word; the id itself where it has none."""
    return location if location is None else PLACES.get(location, location)


def item_of(code: str) -> int:
    """The item of a code, which is its number, or a barcode that has the number in it."""
    number = int(code[2:12] or 0)
    return number if names.barcode(number) == code else int(code)
