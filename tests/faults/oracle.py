"""Which rows must every projection hold? Said once more, without any of the product's code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.faults.expected import customers, goods, inquiries, points
from tests.faults.reading import Read
from tests.faults.wire import Record

Rows = Counter[tuple[Any, ...]]


def expected(applied: Iterable[tuple[Read, str, Record]]) -> dict[str, Rows]:
    """Table by table, the rows that follow from the events applied."""
    events = list(applied)
    erased = {record["profile_id"] for _, name, record in events if name == "SubjectErased"}
    tables: dict[str, Iterable[tuple[Any, ...]]] = {
        "ledger": ((record["meta"]["event_id"], *_place(read)) for read, _, record in events),
        "terminal_receipts": _receipts(events),
        **points.tables(events),
        **goods.tables(events),
        **inquiries.tables(events, erased),
        **customers.tables(events, erased),
    }
    return {name: Counter(rows) for name, rows in tables.items()}


def _place(read: Read) -> tuple[str, int, int]:
    return read.topic, read.partition, read.offset


NUMBERED = {
    "PurchaseCompleted", "PurchaseReturned", "PurchaseVoided", "PointsEarned", "PointsRedeemed",
    "PointsReversed", "DeadLettered",
}  # fmt: skip


def _receipts(events: list[tuple[Read, str, Record]]) -> Iterable[tuple[Any, ...]]:
    """The numbers seen of each till, by the partition that they were seen in."""
    seen: dict[tuple[Any, ...], set[int]] = {}
    for read, name, record in events:
        producer = record["meta"]["producer"]
        till, number = producer["terminal_id"], producer["terminal_sequence"]
        if name in NUMBERED and till is not None and number is not None:
            store = producer["store_id"] or ""
            key = (producer["system"], store, till, producer["terminal_epoch"])
            seen.setdefault((*key, read.topic, read.partition), set()).add(number)
    for key, numbers in seen.items():
        yield (*key, tuple(sorted(numbers)))
