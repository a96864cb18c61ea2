"""The oracle's words for locations."""

from __future__ import annotations

from services.demo.shop import names

PLACES = {
    names.location(store): "warehouse" if store is None else f"store {store}"
    for store in (*range(1, names.STORES + 1), None)
}


def place_of(location: str | None) -> str | None:
    """The oracle's word; the id itself where it has none."""
    return location if location is None else PLACES.get(location, location)
