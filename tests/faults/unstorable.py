"""What does Kafka take and Postgres refuse? Texts in good events; said without the product."""

from __future__ import annotations

import random

from tests.faults.wire import Record

LONGEST = 2_700  # bytes of a text that a row of an index surely holds
Way = tuple[str, ...]
NUL, TOO_LONG = "nul", "too long"
# events, and a text of theirs that reaches Postgres in any batch: it is part of a row's key there,
# so that no later value of the same batch can take its place; the record's key does not hold it.
# Codes are read without what is invisible, so that a NUL stays in other texts alone
KEPT: dict[str, dict[str, Way]] = {
    "PurchaseCompleted": {TOO_LONG: ("location_id",), NUL: ("receipt_number",)},
    "PointsEarned": {TOO_LONG: ("meta", "producer", "terminal_id"), NUL: ("rule_version",)},
    "StockReceived": {TOO_LONG: ("location_id",)},
    "StockAdjusted": {TOO_LONG: ("location_id",)},
    "StockCounted": {TOO_LONG: ("location_id",)},
}


def _with_nul(chance: random.Random) -> str:
    """Avro and Kafka hold it; a text of Postgres cannot."""
    return f"shelf {chance.randint(1, 99)}\0"


def _too_long(chance: random.Random) -> str:
    """Longer than a row of an index may be, and not to be compressed."""
    return "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(3_500))


TEXTS = {NUL: _with_nul, TOO_LONG: _too_long}
PAIRS = [(name, kind) for name, ways in KEPT.items() for kind in ways]


def spoilt(name: str, record: Record, kind: str, chance: random.Random) -> Record:
    """The event with such a text where it is kept."""
    *way, last = KEPT[name][kind]
    changed = dict(record)
    here = changed
    for step in way:
        here[step] = dict(here[step])
        here = here[step]
    here[last] = TEXTS[kind](chance)
    return changed


def refused(name: str, record: Record) -> bool:
    """Whether Postgres cannot hold the event."""
    if not applicable(name, record):
        return False
    texts = {kind: _at(record, way) for kind, way in KEPT[name].items()}
    long, nul = texts[TOO_LONG], texts.get(NUL)
    return (isinstance(long, str) and len(long.encode()) > LONGEST) or (
        isinstance(nul, str) and "\0" in nul
    )


def _at(record: Record, way: Way) -> object:
    text: object = record
    for step in way:
        text = text.get(step) if isinstance(text, dict) else None
    return text


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
