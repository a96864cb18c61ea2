"""What can happen in a shop: each function gives the facts of one happening."""

from __future__ import annotations

from typing import Any

from tests.faults.shop import SECOND, Fact, Shop, described, happens, received


@happens(8)
def stock(shop: Shop) -> list[Fact]:
    """Every way in which stock moves by itself; counts come late as often as not."""
    chance = shop.chance
    at = {**shop.meta("STORE"), "sku": shop.sku(), "location_id": shop.place()}
    states = chance.choice([("SELLABLE", "DAMAGED"), ("QUALITY_CONTROL", "SELLABLE")])
    made: list[Fact] = [
        received(shop),
        ("StockAdjusted", {**at, "quantity": chance.randint(-5, 5), "reason": "found"}),
        ("StockCounted", {**at, "quantity": chance.randint(0, 80),
                          "counted_at": shop.now - chance.randint(0, 3_000) * SECOND}),
        ("StockStateChanged", {**at, "quantity": chance.randint(1, 3), "from_state": states[0],
                               "to_state": states[1]}),
    ]  # fmt: skip
    return [chance.choice(made)]


@happens(0.5)
def settlement(shop: Shop) -> list[Fact]:
    """Somebody decides about something that did not fit; sometimes again, or of no subject."""
    if not shop.settled or shop.chance.random() < 0.7:
        shop.settled.append(shop.chance.randbytes(16))
    sales = [one["transaction_id"] for one in shop.sold[-3:]]
    record = {
        **shop.meta("HEAD_OFFICE"), "discrepancy_id": shop.chance.choice(shop.settled),
        "kind": "over_return", "subject_id": shop.chance.choice([None, *sales]),
        "resolution": shop.chance.choice(["DOCUMENT_RIGHT", "DOCUMENT_WRONG", "papers"]),
        "actor": shop.chance.choice(["aki", "mio"]), "location_id": shop.place(),
        "reason_code": shop.chance.choice([None, "recount"]),
    }  # fmt: skip
    return [("DiscrepancySettled", record)]


@happens(0.5)
def till(shop: Shop) -> list[Fact]:
    """A till closes a day, sometimes again, or uses a number without a sale."""
    chance = shop.chance
    store, terminal = shop.place(), str(chance.randint(1, 3))
    number = shop.receipts.get((store, terminal), 0) + 1
    told = {**shop.meta("STORE", store), "location_id": store, "terminal_id": terminal}
    day = shop.now // (86_400 * SECOND)
    if chance.random() < 0.3:
        shop.receipts[store, terminal] = number
        used = chance.choice(["TRAINING", "DEPOSIT"])
        date = chance.choice([None, day, day + 5])
        return [("ReceiptNumberUsed",
                 {**told, "number": number, "used_for": used, "business_date": date})]  # fmt: skip
    closed = {
        **told, "business_date": day - chance.randint(0, 1), "first_number": 1,
        "last_number": number, "count": chance.randint(number - 1, number), "currency": "JPY",
        "tenders": [{"kind": "CASH", "amount": 100 * number}],
    }  # fmt: skip
    return [("TerminalDayClosed", closed)]


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
