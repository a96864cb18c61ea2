"""Documents of an older release's stack that do not fit, and others like them that do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

SHOP = "S001"
# items of documents that do not fit, by what is wrong with them
MISFITS = {
    "doubled sale": "cup",
    "over-return": "plate",
    "return without the card": "bowl",
    "release after the end": "lamp",
    "return that fits": "spoon",
    "release that fits": "vase",
}
Event = dict[str, Any]


def tell_misfits(shop: Any, member: str) -> Event:
    """Documents that do not fit; the events responsible, by what is wrong."""
    sold = {
        wrong: shop.sale(member, sku, units=2 if wrong == "over-return" else 1)
        for wrong, sku in MISFITS.items()
        if not wrong.startswith("release")
    }
    doubled, returned = sold["doubled sale"], {}
    again = shop.sale(member, MISFITS["doubled sale"], doubled["transaction_id"])
    for wrong, profile, units in (
        ("over-return", member, 3), ("return without the card", None, 1),
        ("return that fits", member, 1),
    ):  # fmt: skip
        line = {
            "line_no": 1, "sku": MISFITS[wrong], "quantity": units, "refund": 110,
            "disposition": "BACK_IN_STOCK",
        }  # fmt: skip
        returned[wrong] = shop.fact(
            "PurchaseReturned", transaction_id=sold[wrong]["transaction_id"],
            profile_id=profile, location_id=SHOP, currency="JPY", total=110 * units,
            lines=[line],
        )  # fmt: skip
    orders = []
    for wrong in ("release after the end", "release that fits"):
        line = {
            "sku": MISFITS[wrong], "location_id": SHOP, "order_id": str(uuid4()),
            "line_no": 1, "quantity": 2,
        }  # fmt: skip
        steps = ["StockAllocated", "StockShipped", "AllocationReleased"]
        if wrong == "release that fits":
            steps.remove("StockShipped")
        orders += [shop.fact(step, **line) for step in steps]
        returned[wrong] = orders[-1]
    counts = [shop.counted(sku, 30) for sku in MISFITS.values()]
    backs = [one for one in returned.values() if one["type"] == "PurchaseReturned"]
    shop.tell([*counts, *sold.values(), again, *backs, *orders])
    events = {wrong: one["meta"]["event_id"] for wrong, one in returned.items()}
    return {
        wrong: {
            "sku": sku,
            "transaction_id": sold.get(wrong, {}).get("transaction_id"),
            "event_id": events.get(wrong, again["meta"]["event_id"]),
        }
        for wrong, sku in MISFITS.items()
    }
