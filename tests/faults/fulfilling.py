"""Orders that are allocated, shipped, handed over, released and cancelled; and transfers.

By line and quantity, in any order: a warehouse tells what it did, and not all of it fits.
"""

from __future__ import annotations

from tests.faults.selling import leaves_later
from tests.faults.shop import Fact, Record, Shop, happens

RECENT = 300
STEPS = {
    "StockAllocated": 8, "ReservationCommitted": 2, "StockShipped": 5, "OrderLineHandedOver": 2,
    "AllocationReleased": 1, "OrderLineCancelled": 1, "rung up": 0.3,
}  # fmt: skip


@happens(10)
def order(shop: Shop) -> list[Fact]:
    """The next step in the life of a line of an order; now and then it is told twice."""
    if not shop.orders:
        return []
    chance = shop.chance
    sale = chance.choice(shop.orders[-RECENT:])
    line = chance.choice([one for one in sale["lines"] if leaves_later(one)])
    step = chance.choices(list(STEPS), list(STEPS.values()))[0]
    if step == "rung up":
        return _rung(shop, sale, line)
    units = line["quantity"] if chance.random() < 0.7 else 1
    if chance.random() < 0.02:
        units += 1
    where = line["location_id"] or sale["location_id"]
    record: Record = {
        **shop.meta("EC" if step == "OrderLineCancelled" else "STORE"),
        "order_id": sale["order_id"] or sale["transaction_id"], "line_no": line["line_no"],
        "sku": line["sku"], "quantity": units,
        "location_id": shop.place() if chance.random() < 0.03 else where,
    }  # fmt: skip
    if step == "ReservationCommitted":
        del record["line_no"]
        record["reservation_id"] = chance.randbytes(16)
    elif step == "OrderLineCancelled":
        record |= {"transaction_id": sale["transaction_id"], "currency": "JPY",
                   "refund": units * line["unit_price"], "location_id": where,
                   "profile_id": sale["profile_id"] if chance.random() < 0.9 else None}  # fmt: skip
    return _perhaps_twice(shop, (step, record))


def _rung(shop: Shop, sale: Record, line: Record) -> list[Fact]:
    """An order that was picked up, rung up at the till under another transaction: once."""
    if sale in shop.rung:
        return []
    shop.rung.append(sale)
    place = shop.place()
    rung = {**line, "line_no": 1, "fulfilment": "IMMEDIATE", "location_id": None}
    rung.pop("expected_at", None)
    record = {
        **shop.meta("STORE", place, receipt=True), "transaction_id": shop.chance.randbytes(16),
        "profile_id": sale["profile_id"], "location_id": place, "currency": "JPY",
        "total": rung["net_paid"], "lines": [rung], "tenders": [],
        "order_id": sale["order_id"] or sale["transaction_id"],
    }  # fmt: skip
    return [("PurchaseCompleted", record)]


def _perhaps_twice(shop: Shop, fact: Fact) -> list[Fact]:
    name, record = fact
    if shop.chance.random() >= shop.told_twice:
        return [fact]
    return [fact, (name, {**record, **shop.shares({"meta": record["meta"]})})]


@happens(1)
def warehouse_order(shop: Shop) -> list[Fact]:
    """Steps of an order that no sale told."""
    chance = shop.chance
    common = {
        "order_id": chance.randbytes(16), "line_no": 1, "sku": shop.sku(),
        "location_id": shop.place(), "quantity": chance.randint(1, 4),
    }  # fmt: skip
    names = ["StockAllocated", "StockShipped", "AllocationReleased"]
    steps = chance.sample(names, chance.randint(1, 3))
    return [(name, {**shop.meta("STORE"), **common}) for name in steps]


@happens(3)
def transfer(shop: Shop) -> list[Fact]:
    """Units are sent to another store, or some of those sent arrive there, or elsewhere."""
    chance = shop.chance
    if not shop.sent or chance.random() < 0.5:
        record: Record = {
            **shop.meta("STORE"), "transfer_id": chance.randbytes(16), "sku": shop.sku(),
            "from_location_id": shop.place(), "to_location_id": shop.place(),
            "quantity": chance.randint(1, 9),
        }  # fmt: skip
        shop.sent.append(record)
        return [("TransferShipped", record)]
    sent = chance.choice(shop.sent[-RECENT:])
    lost = chance.random() < 0.1
    record = {
        **sent, **shop.meta("STORE"), "discrepancy": int(lost),
        "quantity": max(1, chance.choice([1, sent["quantity"]]) - lost),
    }  # fmt: skip
    if chance.random() < 0.03:
        record["to_location_id"] = shop.place()
    return _perhaps_twice(shop, ("TransferReceived", record))
