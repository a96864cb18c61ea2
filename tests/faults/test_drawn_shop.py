"""Does the drawn shop do everything with deliveries, preorders and zones, and not too much?"""

from __future__ import annotations

from functools import cache

from tests.faults.disorder import log
from tests.faults.shop import Fact, Shop

EVENTS = 15_000
OPENING = 1_310  # items, stores and their first goods


@cache
def facts() -> list[Fact]:
    log(1, 1)  # it knows what can happen
    return list(Shop(7, profiles=300).facts(EVENTS))[OPENING:]


def test_what_is_drawn_of_each_is_a_small_share() -> None:
    receipts = [one for name, one in facts() if name == "StockReceived"]
    counted = [one for name, one in facts() if name == "StockCounted"]
    sales = [one for name, one in facts() if name == "PurchaseCompleted"]
    announced = sum(name == "InboundExpected" for name, _ in facts())
    drawn = {
        "deliveries": announced + sum("reference" in one for one in receipts),
        "preorders": sum(any("expected_at" in line for line in one["lines"]) for one in sales),
        "zones": sum("zone" in one for one in counted),
    }
    assert {name: many for name, many in drawn.items()
            if not 0.005 < many / len(facts()) < 0.03} == {}  # fmt: skip


def test_deliveries_are_told_anew_and_received_in_every_way() -> None:
    told: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for name, one in facts():
        if name == "InboundExpected":
            told.setdefault((one["document_id"], one["document_line"]), []).append(one)
    anew = [(one, *others) for one, *others in told.values() if others]
    for name in ("expected_at", "quantity", "location_id"):
        assert any(len({one[name] for one in line}) > 1 for line in anew), name
    assert any(one["quantity"] == 0 for line in anew for one in line)
    named = {document for document, _ in told}
    receipts = [one for name, one in facts() if name == "StockReceived"]
    assert any((one.get("reference") or "").strip() in named for one in receipts)
    assert any(one.get("document_id") in named for one in receipts)
    slips = [one for one in receipts if one.get("document_id") and one.get("reference")]
    assert any(one["document_id"] not in named for one in slips)


def test_preorders_are_shipped_cancelled_and_released() -> None:
    orders = {
        (one["order_id"] or one["transaction_id"], line["sku"])
        for name, one in facts()
        if name == "PurchaseCompleted"
        for line in one["lines"]
        if "expected_at" in line
    }
    steps = {name for name, one in facts()
             if (one.get("order_id"), one.get("sku")) in orders}  # fmt: skip
    assert {"StockAllocated", "StockShipped", "AllocationReleased", "OrderLineCancelled"} <= steps


def test_receipts_that_do_not_fit_are_decided_both_ways() -> None:
    said = {(one["kind"], one["resolution"]) for name, one in facts()
            if name == "DiscrepancySettled"}  # fmt: skip
    assert {(kind, which) for kind in ("over_received", "misrouted")
            for which in ("DOCUMENT_RIGHT", "DOCUMENT_WRONG")} <= said  # fmt: skip
