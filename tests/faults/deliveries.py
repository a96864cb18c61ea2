"""Deliveries that suppliers announce, and zones of stores that are counted by themselves.

Announcements are told anew with another date, place or quantity. Receipts name their delivery or
not; some come early, late, in parts, with too many units, or elsewhere.
"""

from __future__ import annotations

from hashlib import md5
from uuid import UUID, uuid5

from tests.faults.fulfilling import RECENT
from tests.faults.shop import SECOND, Fact, Record, Shop, happens

DELIVERIES = UUID("6a1f6a8e-2f0c-5a57-9f0a-5d1a0f6f2c11")
RESOLUTIONS = ("DOCUMENT_RIGHT", "DOCUMENT_WRONG")
DAY = 86_400 * SECOND
ZONES = ("SHELF", "SHELF", "BACK", "BACK", "CELLAR")
SOLD_FROM = "SHELF"
# the first store says from the beginning from which zone it sells, the second later, others never
COUNTED_PLACES, COUNTED_ITEMS = 3, 8


@happens(1.4)
def delivery(shop: Shop) -> list[Fact]:
    """A delivery is announced, announced anew, or arrives."""
    chance = shop.chance
    drawn = chance.random()
    if not shop.announced or drawn < 0.35:
        return [_announced(shop, line) for line in _new(shop)]
    line = chance.choice(shop.announced[-RECENT:])
    if drawn < 0.55:
        return [_anew(shop, line)]
    if drawn < 0.60:  # the lorry is faster than the paper
        first, *_ = _new(shop)
        return [_receipt(shop, first), _announced(shop, first)]
    return [_receipt(shop, line)]


def _new(shop: Shop) -> list[Record]:
    """The lines of a purchase order: of one item, now and then for two stores or dates."""
    chance, sku = shop.chance, shop.sku()
    document, lines = f"po-{chance.randrange(10**9):09d}", chance.choice([1, 1, 2])
    return [
        {"document_id": document, "document_line": number if lines > 1 else None, "sku": sku,
         "location_id": shop.place(), "quantity": chance.randint(1, 60),
         "expected_at": shop.now + chance.randint(1, 40) * DAY}
        for number in range(1, lines + 1)
    ]  # fmt: skip


def _announced(shop: Shop, line: Record) -> Fact:
    told = {**line, **shop.meta("STORE")}
    shop.announced.append(told)
    return "InboundExpected", told


def _anew(shop: Shop, line: Record) -> Fact:
    """Another date; as often another quantity, 0 for those that will not come, or another store."""
    chance = shop.chance
    anew = {**line, "expected_at": line["expected_at"] + chance.randint(-3, 20) * DAY}
    if chance.random() < 0.5:
        anew["quantity"] = chance.choice([0, line["quantity"] + 5, max(1, line["quantity"] - 5)])
    if chance.random() < 0.15:
        anew["location_id"] = shop.place()
    return _announced(shop, anew)


def _receipt(shop: Shop, line: Record) -> Fact:
    """A part, all, or too many; by the order's name, by a slip's own, or by none."""
    chance, drawn = shop.chance, shop.chance.random()
    units = chance.choice([1, line["quantity"], line["quantity"] // 2, line["quantity"] + 2])
    receipt = {
        **shop.meta("STORE"), "sku": line["sku"], "quantity": max(1, units),
        "location_id": shop.place() if chance.random() < 0.05 else line["location_id"],
    }  # fmt: skip
    if drawn < 0.10:
        return "StockReceived", receipt
    receipt["reference"] = f" {line['document_id']}" if drawn < 0.2 else line["document_id"]
    if drawn > 0.7:
        # a slip tells one receipt: told under its name again it would be the same document
        receipt["document_id"] = f"slip-{chance.randrange(10**9):09d}"
    if drawn > 0.8:
        own = tuple(line[name] for name in ("document_id", "document_line"))
        if (*own, receipt["location_id"]) not in shop.slips:
            shop.slips.add((*own, receipt["location_id"]))
            receipt |= {"document_id": own[0], "document_line": own[1]}
            receipt["reference"] = chance.choice([None, own[0]])
    if units > line["quantity"] or receipt["location_id"] != line["location_id"]:
        shop.odd_receipts.append((line["document_id"], receipt))
    return "StockReceived", receipt


@happens(0.3)
def decided(shop: Shop) -> list[Fact]:
    """Somebody decides about a receipt of too much, or elsewhere; sometimes again, or amiss."""
    if not shop.odd_receipts:
        return []
    chance = shop.chance
    document, receipt = chance.choice(shop.odd_receipts[-8:])
    sku, place = receipt["sku"], receipt["location_id"]
    kind = chance.choice(["over_received", "over_received", "misrouted"])
    record = {
        **shop.meta("HEAD_OFFICE"), "kind": kind, "subject_id": delivery_id(document, sku),
        "discrepancy_id": discrepancy_id(kind, receipt["meta"]["event_id"], sku, place),
        "resolution": chance.choice([*RESOLUTIONS, *RESOLUTIONS, "papers"]),
        "actor": chance.choice(["aki", "mio"]), "reason_code": chance.choice([None, "recount"]),
        "location_id": chance.choice([None, place, place, shop.place()]),
    }  # fmt: skip
    return [("DiscrepancySettled", record)]


def delivery_id(document: str, sku: str) -> bytes:
    """The id of what a purchase order or shipping notice says of an item."""
    return uuid5(uuid5(DELIVERIES, document), sku).bytes


def discrepancy_id(kind: str, event_id: bytes, sku: str, location: str) -> bytes:
    """The id under which an event that does not fit is listed."""
    said = f"{kind}|{UUID(bytes=event_id)}|{sku}|{location}"
    return md5(said.encode(), usedforsecurity=False).digest()


@happens(1.2)
def zone_count(shop: Shop) -> list[Fact]:
    """A zone of a store is counted, often two one after the other, or the whole after them."""
    chance = shop.chance
    sku = shop.skus[int(COUNTED_ITEMS * chance.random())]
    place, counted_at = _counted_place(shop), shop.now - chance.randint(0, 3_000) * SECOND
    drawn = chance.random()
    zones: list[str | None] = [chance.choice(ZONES)]
    if drawn < 0.4:
        zones = ["SHELF", "BACK"]
    elif drawn < 0.5:
        zones = [None]
    return [
        ("StockCounted", {**shop.meta("STORE"), "sku": sku, "location_id": place, "zone": zone,
                          "quantity": chance.randint(0, 40),
                          "counted_at": counted_at + number * chance.randint(0, 60) * SECOND})
        for number, zone in enumerate(zones)
    ]  # fmt: skip


@happens(0.15)
def sold_from(shop: Shop) -> list[Fact]:
    """A store says from which zone it sells; the first said so from the beginning."""
    chance = shop.chance
    place = shop.places[chance.randrange(2)]
    record = {
        **shop.meta("HEAD_OFFICE"), "location_id": place, "kind": "STORE", "name": place,
        "valid_from": shop.now + chance.randint(-60, 60) * SECOND, "selling_zone": SOLD_FROM,
    }  # fmt: skip
    return [("LocationDescribed", record)]


def _counted_place(shop: Shop) -> str:
    return shop.places[shop.chance.randrange(COUNTED_PLACES)]
