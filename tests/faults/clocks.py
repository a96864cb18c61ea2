"""Some tills have a wrong clock: what they tell, what is measured of it, and what must follow.

The rule is said once more here, without the product's code: a time that happened is moved by a
measured offset of more than two minutes, and is never later than arrival; a time that is set for
something is moved alike and never cut.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from tests.faults.reading import Read
from tests.faults.shop import Fact
from tests.faults.wire import Record

SECOND, DAY, YEAR = 1_000_000, 86_400_000_000, 31_557_600_000_000
LITTLE = 120 * SECOND
HAPPENED = {"occurred_at", "counted_at", "registered_at"}
SET_FOR = {"valid_from", "active_from", "expires_at", "expected_at"}
TILLS = ("Purchase", "Points", "Stock", "Allocation", "Transfer", "Order", "Price")
# true time minus told time; the last one is too little to count
OFFSETS = (-400 * DAY, 400 * DAY, -3 * 60 * SECOND, 9 * 3_600 * SECOND, -60 * SECOND)
Headers = list[tuple[str, bytes]]


def wrong(fact: Fact, chance: random.Random) -> tuple[Fact, Headers]:
    """The fact as a till with a wrong clock tells it, and what the gateway measures of it.

    Where nothing is measured the clock is far ahead: one that is behind would be believed.
    """
    name, record = fact
    if not name.startswith(TILLS):
        return fact, []
    if chance.random() < 0.3:
        return (name, _moved(record, lambda _, at: at + 70 * YEAR)), []
    offset = chance.choice(OFFSETS)
    arrived = record["meta"]["occurred_at"] + chance.randrange(600) * SECOND
    measured = [
        ("hitotsu.received_at", str(arrived).encode()),
        ("hitotsu.clock_offset", str(offset).encode()),
    ]
    return (name, _moved(record, lambda _, at: at - offset)), measured


def put_right(read: Read, record: Record) -> tuple[Record, int | None]:
    """The event as it counts, and how wrong its clock was, where that is to be listed."""
    said = dict(read.headers)
    arrived, offset = arrival(read), int(said.get("hitotsu.clock_offset", 0))
    shift = offset if abs(offset) > LITTLE else 0

    def right(name: str, at: int) -> int:
        return min(at + shift, arrived) if name in HAPPENED else at + shift

    effective = _moved(record, right)
    late = min(0, arrived - record["meta"]["occurred_at"])
    listed = shift or (late if late < -LITTLE else 0)
    return effective, listed if effective != record and listed else None


def arrival(read: Read) -> int:
    """When the record had arrived at the latest, in microseconds."""
    said = dict(read.headers).get("hitotsu.received_at")
    return int(said) if said is not None else read.timestamp * 1_000 + 999


def listing(found: Iterable[tuple[Read, Record, int]]) -> Iterable[tuple[Any, ...]]:
    """The rows of terminals with a wrong clock, from their events with how wrong each was."""
    terminals: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for read, record, offset in found:
        producer = record["meta"]["producer"]
        key = (producer["system"], producer["store_id"] or "", producer["terminal_id"] or "")
        terminals.setdefault(key, []).append((arrival(read), offset))
    for key, seen in terminals.items():
        yield (*key, max(seen)[1], min(seen)[0], max(seen)[0], len(seen))


def _moved(value: Any, move: Callable[[str, int], int]) -> Any:
    if isinstance(value, list):
        return [_moved(one, move) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: move(name, one)
        if name in HAPPENED | SET_FOR and one is not None
        else _moved(one, move)
        for name, one in value.items()
    }
