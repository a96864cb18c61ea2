"""A sale counts once under whichever event ids, as the judge of fault runs says."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.faults.disorder import Shares, log
from tests.faults.reading import Judged, Read, judge_reads
from tests.faults.wire import Wire

PLACE = ("commerce.purchases", 0)
TRANSACTION = b"transaction-0001"


def sale(number: int, total: int = 300, **more: Any) -> dict[str, Any]:
    """A guest's sale of two items under an event id of its own."""
    lines = [
        {"line_no": at, "sku": sku, "quantity": 1, "unit_price": paid, "net_paid": paid}
        for at, (sku, paid) in enumerate((("tea", 100), ("cup", 200)), 1)
    ]
    producer = {"system": "pos", "channel": "STORE"}
    meta = {"event_id": number.to_bytes(16, "big"), "occurred_at": number, "producer": producer}
    common = {"location_id": "S001", "currency": "JPY", "total": total, "lines": lines}
    return {"meta": meta, "transaction_id": TRANSACTION, **common, **more}


def judged_of(*sales: dict[str, Any]) -> Judged:
    wire, name = Wire(), "PurchaseCompleted"
    return judge_reads(
        Read(*PLACE, offset, wire.key(name, one), wire.encode(name, one))
        for offset, one in enumerate(sales)
    )


def test_the_first_offset_stands_and_a_copy_is_a_duplicate_whatever_else_differs() -> None:
    copy = sale(2, location_id="S002")
    copy["lines"] = copy["lines"][::-1]
    judged = judged_of(sale(9), copy, copy, sale(9))
    assert judged.verdicts[PLACE] == ["applied", "duplicate", "duplicate", "duplicate"]


def test_other_content_is_a_conflict() -> None:
    other = sale(3)
    other["lines"][0]["quantity"] = 2
    judged = judged_of(sale(9), sale(2, total=301), other, sale(4, currency="USD"))
    assert judged.verdicts[PLACE] == ["applied", "conflict", "conflict", "conflict"]


def test_a_sale_that_cannot_be_stored_owns_no_document() -> None:
    judged = judged_of(sale(1, receipt_number="a\0"), sale(2, total=5), sale(3))
    assert judged.verdicts[PLACE] == ["dead_letter", "applied", "conflict"]


def test_a_drawn_log_doubles_sales_and_rarely_with_other_content() -> None:
    drawn = log(3, 6_000, shares=Shares(resent=0, other_body=0, unstorable=0, doubled=0.1))
    places = sorted({append.topic for append in drawn.appends})
    judged = judge_reads(
        Read(topic, 0, offset, append.key, append.value)
        for topic in places
        for offset, append in enumerate(one for one in drawn.appends if one.topic == topic)
    )
    counts = sum(judged.counts.values(), Counter())
    assert counts["duplicate"] == drawn.sent["resends"] > 50
    assert counts["conflict"] == drawn.sent["other bodies"] > 2
    assert counts["applied"] == drawn.sent["events"]
