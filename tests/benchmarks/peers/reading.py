"""What does a peer read, and how does it say when it began and ended?

It decodes with fastavro, by the schema id in front of the value, and prints `FIRST` and `DONE`.
"""

from __future__ import annotations

import os
import time
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader

from schemas.history.releases import releases

# event, member, when, points, location, lines of (sku, quantity)
Fact = tuple[str, str, int, int, str, list[tuple[str, int]]]
KAFKA = os.environ.get("BENCH_KAFKA", "")
POSTGRES = os.environ.get("BENCH_POSTGRES", "")
TOPICS = os.environ.get("BENCH_TOPICS", "").split(",")
EVENTS = int(os.environ.get("BENCH_EVENTS", "0"))
BATCH = int(os.environ.get("BENCH_BATCH", "5000"))
OPTIONS = "-c search_path=peers"
_KNOWN = releases()
# every version: a load that another commit reads too is not written with the newest
_READ = {
    b"\0" + release.id.to_bytes(4, "big"): release
    for release in _KNOWN
    if release.record in ("PointsEarned", "PurchaseCompleted")
}
_SCHEMAS: dict[bytes, Any] = {
    header: parse_schema(_KNOWN.schema(release)) for header, release in _READ.items()
}
_EARNED_HEADERS = {header for header, release in _READ.items() if release.record == "PointsEarned"}


def record_of(value: bytes) -> dict[str, Any]:
    """The Avro record of a value in the Confluent wire format."""
    buffer = BytesIO(value)
    header = buffer.read(5)
    record: dict[str, Any] = schemaless_reader(buffer, _SCHEMAS[header], None)  # type: ignore[assignment]
    return record


def decode(value: bytes) -> Fact:
    """The facts of one value that the tables are made of."""
    record = record_of(value)
    meta = record["meta"]
    event_id, member_id = meta["event_id"].hex(), record["profile_id"].hex()
    if value[:5] in _EARNED_HEADERS:
        points = sum([lot["points"] for lot in record["lots"]])
        return (event_id, member_id, meta["occurred_at"], points, "", [])
    lines = [(line["sku"], line["quantity"]) for line in record["lines"]]
    return (event_id, member_id, meta["occurred_at"], 0, record["location_id"], lines)


class Clock:
    """Runs from the first event handled until the last of all is durable."""

    def __init__(self) -> None:
        self._began = False
        self._durable = 0

    def first(self) -> None:
        """An event was taken in hand."""
        if not self._began:
            self._began = True
            _say("FIRST")

    def durable(self, many: int) -> bool:
        """So many more are; True when that was the last."""
        self._durable += many
        if self._durable >= EVENTS:
            _say("DONE")
            return True
        return False


def wait_for_the_end() -> None:
    """Holds still until the benchmark has looked at this process and ends it."""
    time.sleep(600)


def _say(word: str) -> None:
    # not sys.stdout: Faust takes that one over
    os.write(1, f"{word} {time.time()}\n".encode())
