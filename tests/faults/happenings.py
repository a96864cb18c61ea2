"""What can happen in a shop: each function gives the facts of one happening."""

from __future__ import annotations

from typing import Any

from tests.faults.points import corrected, earned, spent
from tests.faults.shop import SECOND, Fact, Record, Shop, described, happens, received


@happens(22)
def sale(shop: Shop) -> list[Fact]:
    """A receipt or an order, and the points it earns or costs."""
    chance, channel = shop.chance, shop.chance.choice(["STORE", "STORE", "EC"])
    place = shop.place()
    meta = shop.meta(channel, place if channel == "STORE" else None, receipt=True)
    guest = chance.random() < 0.15
    lines = [_line(shop, number) for number in range(1, chance.randint(1, 4) + 1)]
    total = sum(line["net_paid"] for line in lines)
    receipt = {
        **meta, "transaction_id": chance.randbytes(16), "location_id": place, "currency": "JPY",
        "profile_id": None if guest else shop.person(), "total": total, "lines": lines,
        "tenders": _tenders(shop, total),
    }  # fmt: skip
    (shop.guests if guest else shop.sold).append(receipt)
    facts: list[Fact] = [("PurchaseCompleted", receipt)]
    if not guest and chance.random() < 0.6:
        facts.append(earned(shop, receipt))
    if not guest and chance.random() < 0.15:
        facts.append(spent(shop, receipt))
    return facts


def _line(shop: Shop, number: int) -> Record:
    quantity, price = shop.chance.randint(1, 3), shop.chance.randint(1, 80) * 100
    return {
        "line_no": number, "sku": shop.sku(), "quantity": quantity, "unit_price": price,
        "net_paid": quantity * price, "is_gift": shop.chance.random() < 0.05,
        "location_id": shop.place() if shop.chance.random() < 0.1 else None,
        "fulfilment": shop.chance.choice(["IMMEDIATE", "SHIP", "PICKUP"]),
    }  # fmt: skip


def _tenders(shop: Shop, total: int) -> list[Record]:
    """What is not told, or money, or some points and the rest in money."""
    points = shop.chance.choice((None, 0, min(total, 500)))
    if points is None:
        return []
    paid = [{"kind": "POINTS", "amount": points}] if points else []
    return [*paid, {"kind": "CASH", "amount": total - points}]


@happens(4)
def correction(shop: Shop) -> list[Fact]:
    """Goods come back, or the sale never was; sometimes a guest's."""
    if not shop.sold or not shop.guests:
        return []
    sale = shop.chance.choice(shop.guests if shop.chance.random() < 0.2 else shop.sold)
    meta = shop.meta("STORE", shop.place(), receipt=True)
    common: Record = {
        **meta, "transaction_id": sale["transaction_id"], "profile_id": sale["profile_id"],
        "location_id": shop.place(), "currency": "JPY",
    }  # fmt: skip
    if shop.chance.random() < 0.15:
        voided = {"total": sale["total"], "lines": sale["lines"], "reason": "mistake"}
        meta["meta"]["producer"]["channel"] = shop.chance.choice(["STORE", "EC"])
        return [("PurchaseVoided", {**common, **voided})]
    line = shop.chance.choice(sale["lines"])
    back = {
        "line_no": line["line_no"], "sku": line["sku"], "quantity": 1, "refund": line["unit_price"],
        "disposition": shop.chance.choice(["BACK_IN_STOCK", "QUALITY_CONTROL", "UNUSABLE"]),
    }  # fmt: skip
    facts: list[Fact] = [("PurchaseReturned", {**common, "total": back["refund"], "lines": [back]})]
    if sale["profile_id"] is not None:
        facts.append(corrected(shop, sale, meta))
    return facts


@happens(1)
def claim(shop: Shop) -> list[Fact]:
    """A guest's sale is claimed later."""
    if not shop.guests:
        return []
    sale = shop.chance.choice(shop.guests)
    record = {
        **shop.meta("EC"),
        "transaction_id": sale["transaction_id"],
        "profile_id": shop.person(),
        "points_treatment": shop.chance.choice(["NONE", "MOVE", "RECALCULATE"]),
    }
    return [("PurchaseAttributed", record)]


@happens(12)
def stock(shop: Shop) -> list[Fact]:
    """Every way in which stock moves but a sale; counts come late as often as not."""
    chance = shop.chance
    at = {**shop.meta("STORE"), "sku": shop.sku(), "location_id": shop.place()}
    order = {**at, "order_id": chance.randbytes(16), "line_no": 1, "quantity": chance.randint(1, 4)}
    transfer = {
        **at, "transfer_id": chance.randbytes(16), "from_location_id": at["location_id"],
        "to_location_id": shop.place(), "quantity": chance.randint(1, 9),
    }  # fmt: skip
    states = chance.choice([("SELLABLE", "DAMAGED"), ("QUALITY_CONTROL", "SELLABLE")])
    made: list[Fact] = [
        received(shop),
        ("StockAdjusted", {**at, "quantity": chance.randint(-5, 5), "reason": "found"}),
        ("StockCounted", {**at, "quantity": chance.randint(0, 80),
                          "counted_at": shop.now - chance.randint(0, 3_000) * SECOND}),
        ("StockStateChanged", {**at, "quantity": chance.randint(1, 3), "from_state": states[0],
                               "to_state": states[1]}),
        ("StockAllocated", order),
        ("AllocationReleased", order),
        ("StockShipped", order),
        ("TransferShipped", transfer),
        ("TransferReceived", {**transfer, "discrepancy": chance.randint(0, 1)}),
        ("ReservationCommitted", {**order, "reservation_id": chance.randbytes(16)}),
    ]  # fmt: skip
    return [chance.choice(made)]


@happens(6)
def question(shop: Shop) -> list[Fact]:
    """An inquiry: opened, or one of those open goes on."""
    chance = shop.chance
    if not shop.asked or chance.random() < 0.4:
        asked = {
            **shop.meta("CALL_CENTRE"), "inquiry_id": chance.randbytes(16),
            "profile_id": None if chance.random() < 0.2 else shop.person(),
            "text": chance.randbytes(24), "topic": _topic(shop),
            "sku": shop.sku() if chance.random() < 0.5 else None, "store_id": shop.place(),
        }  # fmt: skip
        shop.asked.append(asked)
        return [("InquiryOpened", asked)]
    asked = chance.choice(shop.asked[-500:])
    # who asked may have become known meanwhile: another key, another partition
    known = asked["profile_id"] or (shop.person() if chance.random() < 0.1 else None)
    common = {**shop.meta("CALL_CENTRE"), "inquiry_id": asked["inquiry_id"], "profile_id": known}
    made: list[Fact] = [
        ("InquiryMessageAdded", {**common, "author": "CUSTOMER", "text": chance.randbytes(24)}),
        ("InquiryClassified", {**common, "topic": _topic(shop), "classified_by": "staff"}),
        ("InquiryAnswered", {**common, "text": chance.randbytes(24)}),
        ("InquiryClosed", {**common, "resolution": chance.choice(["refund", "repaired"])}),
        ("InquiryReopened", common),
    ]
    if chance.random() < 0.1:
        other = chance.choice(shop.asked[-500:])["inquiry_id"]
        made = [
            ("InquiryAttributed", {**common, "profile_id": shop.person()}),
            ("InquiryMerged", {**common, "into_inquiry_id": other}),
        ]
    return [chance.choice(made)]


def _topic(shop: Shop) -> str:
    return shop.chance.choice(["return/damaged", "delivery", "points/missing", "店舗"])


@happens(1)
def catalogue(shop: Shop) -> list[Fact]:
    chance, since = shop.chance, {"valid_from": shop.now}
    policy = {**shop.meta("HEAD_OFFICE"), **since, "location_id": shop.place(), "safety_stock": 2,
              "sku": shop.sku() if chance.random() < 0.5 else None, "store_share": 1}  # fmt: skip
    need: dict[str, Any] = {
        **shop.meta("HEAD_OFFICE"), **since, "policy_id": f"need-{chance.randint(1, 30)}",
        "kind": chance.choice(["ONE_OFF", "DURABLE", "REPLENISHABLE"]),
        "interval_days": chance.choice([None, 30]),
        "reach": chance.choice(["SKU", "CATEGORY"]), "sku": chance.choice([None, shop.sku()]),
    }  # fmt: skip
    return [chance.choice([described(shop), ("StockPolicySet", policy), ("NeedPolicySet", need)])]


@happens(2)
def contact(shop: Shop) -> list[Fact]:
    """Facts that no projection takes: known to the ledger all the same."""
    who = {**shop.meta("EC"), "profile_id": shop.person()}
    made: list[Fact] = [
        ("ContactMade", {**who, "kind": "MAIL", "direction": "OUTBOUND"}),
        ("ConsentGiven", {**who, "purpose": "mail", "text_version": "1"}),
    ]
    return [shop.chance.choice(made)]
