"""The demo shop's locations, items and need policies."""

from __future__ import annotations

from collections.abc import Iterator

from services.demo.shop import names
from services.demo.shop.names import Json
from services.demo.shop.rows import Rows

_ITEMS = """
SELECT i_item_sk, coalesce(i_product_name, 'Item ' || i_item_sk), i_category, i_brand,
       i_item_id, (i_current_price * 100)::BIGINT
FROM shop.item ORDER BY i_item_sk
"""
_DURABLE = {"kind": "DURABLE", "reach": "CATEGORY"}
_REPLENISHABLE = {"kind": "REPLENISHABLE", "reach": "SKU", "interval_days": 180}
_ONE_OFF = {"kind": "ONE_OFF", "reach": "SKU"}
NEEDS: dict[str, Json] = {
    "Books": _ONE_OFF,
    "Music": _ONE_OFF,
    "Electronics": _DURABLE,
    "Home": _DURABLE,
    "Jewelry": _DURABLE,
    "Sports": _DURABLE,
    "Shoes": _REPLENISHABLE,
    "Men": _REPLENISHABLE,
    "Women": _REPLENISHABLE,
    "Children": {"kind": "NONE", "reach": "SKU"},
}


def catalog(rows: Rows) -> Iterator[Json]:
    """The events that describe locations, need policies and items, valid from before all sales."""
    yield from _locations()
    yield from _needs()
    yield from _items(rows)


def _locations() -> Iterator[Json]:
    for store in (*range(1, names.STORES + 1), None):
        location = names.location(store)
        yield _described("LocationDescribed", location) | {
            "location_id": location,
            "kind": "WAREHOUSE" if store is None else "STORE",
            "name": "EC倉庫" if store is None else f"{store}号店",
        }


def _needs() -> Iterator[Json]:
    for category, need in NEEDS.items():
        policy = f"need-{category.lower()}"
        yield _described("NeedPolicySet", policy) | {
            "policy_id": policy,
            "category": category,
            **need,
        }
    yield _described("NeedPolicySet", "default") | {"policy_id": "default", **_ONE_OFF}


def _items(rows: Rows) -> Iterator[Json]:
    for item, name, category, brand, product, price in rows.stream(_ITEMS):
        sku = names.sku(item)
        event = _described("ItemDescribed", sku) | {
            "sku": sku,
            "name": name,
            "category": names.category(category),
            "product_id": product,
        }
        if (barcode := names.barcode(item)) is not None:
            event["barcodes"] = [barcode]
        if brand is not None:
            event["brand"] = brand
        if price is not None:
            event |= {"list_price": price, "currency": names.CURRENCY}
        yield event


def _described(kind: str, what: str) -> Json:
    event_id = names.demo_id(kind, what)
    return {
        "type": kind,
        "meta": names.meta(names.HEAD_OFFICE, event_id, names.OPENING),
        "valid_from": names.instant(names.OPENING),
    }
