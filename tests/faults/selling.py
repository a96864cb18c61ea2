"""Sales, and what corrects them: with the card or without, twice, too much, or of nothing."""

from __future__ import annotations

from tests.faults.points import corrected, earned, spent
from tests.faults.shop import SECOND, Fact, Record, Shop, happens

DISPOSITIONS = ["BACK_IN_STOCK", "QUALITY_CONTROL", "UNUSABLE", "NOT_RETURNED"]
HOW = ["IMMEDIATE", "IMMEDIATE", "SHIP", "PICKUP"]


@happens(22)
def sale(shop: Shop) -> list[Fact]:
    """A receipt or an order, and the points it earns or costs."""
    chance, channel = shop.chance, shop.chance.choice(["STORE", "STORE", "EC"])
    place = shop.place()
    meta = shop.meta(channel, place if channel == "STORE" else None, receipt=True)
    guest = chance.random() < 0.15
    lines = _lines(shop)
    total = sum(line["net_paid"] for line in lines)
    receipt = {
        **meta, "transaction_id": chance.randbytes(16), "location_id": place, "currency": "JPY",
        "profile_id": None if guest else shop.person(), "total": total, "lines": lines,
        "tenders": _tenders(shop, total), "order_id": None,
    }  # fmt: skip
    receipt["business_date"] = _business_date(shop, receipt["transaction_id"])
    later = [line for line in lines if leaves_later(line)]
    if later and later == lines and chance.random() < 0.5:
        receipt["order_id"] = chance.randbytes(16)
    if later:
        shop.orders.append(receipt)
    (shop.guests if guest else shop.sold).append(receipt)
    facts: list[Fact] = [("PurchaseCompleted", receipt)]
    if not guest and chance.random() < 0.6:
        facts.append(earned(shop, receipt))
    if not guest and chance.random() < 0.15:
        facts.append(spent(shop, receipt))
    return facts


def leaves_later(line: Record) -> bool:
    """Whether a line waits: to be shipped, picked up, or to be there at all."""
    return line["fulfilment"] != "IMMEDIATE" or "expected_at" in line


def _lines(shop: Shop) -> list[Record]:
    """Lines of one item leave from one place: of two places nobody says which comes first."""
    lines = [_line(shop, number) for number in range(1, shop.chance.randint(1, 4) + 1)]
    places = {line["sku"]: line["location_id"] for line in lines}
    return [{**line, "location_id": places[line["sku"]]} for line in lines]


def _line(shop: Shop, number: int) -> Record:
    chance = shop.chance
    quantity, price = chance.randint(1, 3), chance.randint(1, 80) * 100
    line = {
        "line_no": number, "sku": shop.sku(), "quantity": quantity, "unit_price": price,
        "net_paid": quantity * price, "is_gift": chance.random() < 0.05,
        "location_id": shop.place() if chance.random() < 0.1 else None,
        "fulfilment": chance.choice(HOW),
    }  # fmt: skip
    if chance.random() < 0.02:
        line |= {"kind": "SERVICE"}
    elif chance.random() < 0.03:
        line["components"] = [
            {"sku": sku, "quantity": many}
            for many, sku in enumerate(sorted({shop.sku(), shop.sku()}), 1)
        ]
    return _preordered(shop, line) if chance.random() < 0.03 else line


def _preordered(shop: Shop, line: Record) -> Record:
    """A line of units that are not there yet; as often as not of an announced delivery."""
    chance = shop.chance
    preorder = {**line, "expected_at": shop.now + chance.randint(1, 30) * 86_400 * SECOND}
    if chance.random() < 0.8:
        preorder["fulfilment"] = "SHIP"
    if shop.announced and chance.random() < 0.6:
        inbound = chance.choice(shop.announced[-50:])
        preorder |= {name: inbound[name] for name in ("sku", "location_id", "expected_at")}
    return preorder


def _business_date(shop: Shop, transaction: bytes) -> int | None:
    """None, that of the time, one of yesterday, or one that is too far; drawn by the id."""
    apart = (None, 0, -1, 7)[transaction[0] % 4]
    return None if apart is None else shop.now // (86_400 * SECOND) + apart


def _tenders(shop: Shop, total: int) -> list[Record]:
    """What is not told, or money, or some points and the rest in money."""
    points = shop.chance.choice((None, 0, min(total, 500)))
    if points is None:
        return []
    paid = [{"kind": "POINTS", "amount": points}] if points else []
    return [*paid, {"kind": "CASH", "amount": total - points}]


@happens(5)
def correction(shop: Shop) -> list[Fact]:
    """Goods come back, or the sale never was; sometimes a guest's."""
    if not shop.sold or not shop.guests:
        return []
    chance = shop.chance
    sale = chance.choice(shop.guests if chance.random() < 0.2 else shop.sold)
    meta = shop.meta("STORE", shop.place(), receipt=True)
    common: Record = {
        **meta, "transaction_id": sale["transaction_id"], "profile_id": _sender(shop, sale),
        "location_id": shop.place(), "currency": "JPY",
    }  # fmt: skip
    if chance.random() < 0.02:
        common["transaction_id"] = chance.randbytes(16)
    if chance.random() < 0.15:
        voided = {"total": sale["total"], "lines": sale["lines"], "reason": "mistake"}
        meta["meta"]["producer"]["channel"] = chance.choice(["STORE", "EC"])
        common["location_id"] = sale["location_id"]
        return [("PurchaseVoided", {**common, **voided})]
    line = chance.choice(sale["lines"])
    if chance.random() < 0.05:
        adjusted = {"line_no": chance.choice([line["line_no"]] * 9 + [9]), "amount": 100}
        return [("PriceAdjusted", {**common, **adjusted})]
    facts: list[Fact] = [("PurchaseReturned", {**common, **_back(shop, line)})]
    if chance.random() < shop.told_twice:
        facts.append(("PurchaseReturned", {**facts[0][1], **shop.shares(meta)}))
    if sale["profile_id"] is not None:
        facts.append(corrected(shop, sale, meta))
    return facts


def _sender(shop: Shop, sale: Record) -> bytes | None:
    """Who came to the counter: the buyer's card, none, or the buyer's other profile."""
    drawn = shop.chance.random()
    if drawn < shop.cardless:
        return None
    other = drawn < shop.cardless + shop.other_card
    buyer: bytes | None = sale["profile_id"]
    return shop.person() if other else buyer


def _back(shop: Shop, line: Record) -> Record:
    """What comes back: a unit of a line, now and then more than was sold, or something else."""
    chance, drawn = shop.chance, shop.chance.random()
    back = {
        "line_no": line["line_no"], "sku": line["sku"], "quantity": chance.choice([1, 1, 2]),
        "refund": line["unit_price"], "disposition": chance.choice(DISPOSITIONS),
    }  # fmt: skip
    if drawn < 0.02:
        back["quantity"] = 100
    elif drawn < 0.04:
        back |= {"line_no": 9, "sku": shop.sku()}
    elif drawn < 0.10:
        back["line_no"] = 0
    return {"total": back["refund"], "lines": [back]}


@happens(1)
def claim(shop: Shop) -> list[Fact]:
    """A guest's sale is claimed later, or one that has an owner."""
    if not shop.guests or not shop.sold:
        return []
    sale = shop.chance.choice(shop.guests if shop.chance.random() < 0.9 else shop.sold)
    record = {
        **shop.meta("EC"),
        "transaction_id": sale["transaction_id"],
        "profile_id": shop.person(),
        "points_treatment": shop.chance.choice(["NONE", "MOVE", "RECALCULATE"]),
    }
    return [("PurchaseAttributed", record)]
