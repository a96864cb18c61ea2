"""Which rows must every projection hold? Said once more, without any of the product's code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.faults import clocks
from tests.faults.expected import customers, goods, inquiries, points, tills
from tests.faults.reading import Read
from tests.faults.wire import Record

Rows = Counter[tuple[Any, ...]]


def expected(applied: Iterable[tuple[Read, str, Record]]) -> dict[str, Rows]:
    """Table by table, the rows that follow from the events applied."""
    sent = list(applied)
    right = [clocks.put_right(read, record) for read, _, record in sent]
    events = [(read, name, one) for (read, name, _), (one, _) in zip(sent, right, strict=True)]
    wrong = (
        (read, record, offset)
        for (read, _, record), (_, offset) in zip(sent, right, strict=True)
        if offset is not None
    )
    erased = {record["profile_id"] for _, name, record in events if name == "SubjectErased"}
    tables: dict[str, Iterable[tuple[Any, ...]]] = {
        "ledger": ((record["meta"]["event_id"], *_place(read)) for read, _, record in events),
        "terminal_clock": clocks.listing(wrong),
        **tills.tables(events),
        **points.tables(events),
        **goods.tables(events),
        **inquiries.tables(events, erased),
        **customers.tables(events, erased),
    }
    return {name: Counter(rows) for name, rows in tables.items()}


def _place(read: Read) -> tuple[str, int, int]:
    return read.topic, read.partition, read.offset
