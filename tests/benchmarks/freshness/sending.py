"""Who sends at a steady rate? A process of its own, that notes where the broker put each event.

    python -m tests.benchmarks.freshness.sending KAFKA RATE SECONDS OUT

OUT gets a line for each event: topic, partition, offset, and when the broker appended it.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from confluent_kafka import Message

from tests.benchmarks.freshness.shop import SHAPE
from tests.benchmarks.sending import NotSent, producer
from tests.benchmarks.workload import load

TICK_SECONDS = 0.005
LINGER_MS = 5  # the gateway's


def main(kafka: str, rate: int, seconds: float, out: str) -> None:
    """Ends when every event was acknowledged."""
    records = load("w2", int(rate * seconds) + rate, 0, SHAPE, seed=2).records
    placed: list[tuple[str, int, int, int]] = []
    failed: list[str] = []

    def told(error: object, message: Message) -> None:
        if error is not None:
            failed.append(str(error))
        else:
            partition, offset = int(message.partition() or 0), int(message.offset() or 0)
            placed.append((str(message.topic()), partition, offset, message.timestamp()[1]))

    gc.disable()
    to = producer(kafka, LINGER_MS)
    to.poll(1.0)
    began, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        while sent < passed * rate:
            record = records[sent]
            to.produce(
                record.topic, record.value, record.key, headers=record.headers, on_delivery=told
            )
            sent += 1
        to.poll(TICK_SECONDS)
    if to.flush(30) or failed:
        raise NotSent(f"{failed[:1]}")
    Path(out).write_text("\n".join(map(json.dumps, placed)), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
