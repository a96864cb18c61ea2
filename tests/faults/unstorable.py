"""What does Kafka take and Postgres refuse? Texts in good events; said without the product."""

from __future__ import annotations

import random

from tests.faults.wire import Record

LONGEST = 2_700  # bytes of a text that a row of an index surely holds
# events, and a text of theirs that reaches Postgres in any batch: it is part of a row's key there,
# so that no later value of the same batch can take its place; the record's key does not hold it
KEPT: dict[str, tuple[str, ...]] = {
    "PurchaseCompleted": ("location_id",),
    "PointsEarned": ("meta", "producer", "terminal_id"),
    "StockReceived": ("location_id",),
    "StockAdjusted": ("location_id",),
    "StockCounted": ("location_id",),
}


def _with_nul(chance: random.Random) -> str:
    """Avro and Kafka hold it; a text of Postgres cannot."""
    return f"shelf {chance.randint(1, 99)}\0"


def _too_long(chance: random.Random) -> str:
    """Longer than a row of an index may be, and not to be compressed."""
    return "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(3_500))


TEXTS = {"nul": _with_nul, "too long": _too_long}


def spoilt(name: str, record: Record, text: str) -> Record:
    """The event with another text where it is kept."""
    *way, last = KEPT[name]
    changed = dict(record)
    here = changed
    for step in way:
        here[step] = dict(here[step])
        here = here[step]
    here[last] = text
    return changed


def refused(name: str, record: Record) -> bool:
    """Whether Postgres cannot hold the event."""
    if not applicable(name, record):
        return False
    text: object = record
    for step in KEPT[name]:
        text = text[step] if isinstance(text, dict) else None
    return isinstance(text, str) and ("\0" in text or len(text.encode()) > LONGEST)


def applicable(name: str, record: Record) -> bool:
    """Whether the event has such a text."""
    producer = record["meta"]["producer"]
    if name == "PointsEarned":
        return None not in (producer.get("terminal_id"), producer.get("terminal_sequence"))
    if name == "PurchaseCompleted":
        # goods that leave later move with their order, and a line may name a place of its own
        return record.get("order_id") is None and any(
            line.get("location_id") is None
            and line["fulfilment"] == "IMMEDIATE"
            and line.get("expected_at") is None
            and line.get("kind", "GOODS") == "GOODS"
            for line in record["lines"]
        )
    return name in KEPT
