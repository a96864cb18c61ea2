"""Events of the opening stock and of later counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time

from services.demo.shop import names
from services.demo.shop.names import Json
from services.demo.shop.rows import Rows

OPENING_QUANTITY = 10_000

_COUNTS = """
SELECT inv_item_sk, d_date, inv_quantity_on_hand
FROM shop.inventory JOIN shop.date_dim ON d_date_sk = inv_date_sk
WHERE inv_item_sk % 2 = 0 AND inv_quantity_on_hand IS NOT NULL
ORDER BY inv_item_sk, inv_date_sk
"""


def openings(rows: Rows) -> Iterator[Json]:
    """Opening stock as `StockReceived`: the same quantity of every item at every location."""
    for (item,) in rows.stream("SELECT i_item_sk FROM shop.item ORDER BY i_item_sk"):
        for store in (*range(1, names.STORES + 1), None):
            location = names.location(store)
            event_id = names.demo_id("opening", location, item)
            yield {
                "type": "StockReceived",
                "meta": names.meta(names.WAREHOUSE, event_id, names.OPENING, store=store),
                "sku": names.sku(item),
                "location_id": location,
                "quantity": OPENING_QUANTITY,
                "reference": "opening",
            }


def counts(rows: Rows) -> Iterator[Json]:
    """The warehouse's counts of items with even numbers, at midnight."""
    location = names.location(None)
    for item, day, quantity in rows.stream(_COUNTS):
        at = datetime.combine(day, time(), names.JST)
        event_id = names.demo_id("count", location, item, day)
        yield {
            "type": "StockCounted",
            "meta": names.meta(names.WAREHOUSE, event_id, at),
            "sku": names.sku(item),
            "location_id": location,
            "quantity": quantity,
            "counted_at": names.instant(at),
        }
