"""What became of the records of the log? As the checkpoints, the ledger and the letters tell."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import psycopg
from confluent_kafka import Consumer, TopicPartition

from schemas.topics import TOPICS

Place = tuple[str, int, int]
_CHECKPOINTS = """
SELECT topic, partition, next_offset, applied + duplicate + conflict + dead_letter
FROM hitotsu.checkpoint WHERE grp = 'main'
"""
_APPLIED = """
SELECT topic.name, partition, "offset", event_id
FROM main.ledger JOIN hitotsu.topic ON topic.no = ledger.topic
"""
_BURIED = """
SELECT topic, partition, "offset", stage, record_key, record_value FROM hitotsu.dead_letter
"""


def log_ends(kafka: str) -> dict[tuple[str, int], int]:
    """The next offset of each partition of our topics."""
    options = {"bootstrap.servers": kafka, "group.id": "ends", "enable.auto.commit": False}
    consumer = Consumer(options)
    try:
        return {
            (topic.name, partition): consumer.get_watermark_offsets(
                TopicPartition(topic.name, partition), timeout=10
            )[1]
            for topic in TOPICS.values()
            for partition in range(topic.partitions)
        }
    finally:
        consumer.close()


class Projected:
    """Reads what the projectors wrote."""

    def __init__(self, status: dict[str, Any]) -> None:
        self._kafka = status["servers"]["kafka"]["url"]
        self._dsn = status["servers"]["postgres"]["url"]

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            return connection.execute(query.encode(), list(parameters)).fetchall()

    def everything(self, seconds: float = 90) -> int:
        """Waits until every record has a verdict; answers how many there are."""
        eventually(self._settled, "every record has its verdict", seconds)
        return sum(log_ends(self._kafka).values())

    def _settled(self) -> bool:
        # a letter is told to the topic of letters, where it is a record that has a verdict too
        unsent = self.rows("SELECT count(*) FROM hitotsu.dead_letter WHERE NOT relayed")
        return unsent == [(0,)] and self._positions() == log_ends(self._kafka)

    def _positions(self) -> dict[tuple[str, int], int]:
        found = {}
        for topic, partition, position, verdicts in self.rows(_CHECKPOINTS):
            assert position == verdicts, f"{topic}-{partition}"
            found[topic, partition] = position
        return found

    def counts(self) -> Counter[str]:
        names = ("applied", "duplicate", "conflict", "dead_letter")
        query = f"SELECT {', '.join(f'sum({name})::bigint' for name in names)}"
        query += " FROM hitotsu.checkpoint WHERE grp = 'main'"
        return Counter(dict(zip(names, self.rows(query)[0], strict=True)))

    def applied(self) -> dict[Place, bytes]:
        return {(t, p, o): event_id.bytes for t, p, o, event_id in self.rows(_APPLIED)}

    def buried(self) -> dict[Place, tuple[str, bytes | None, bytes | None]]:
        return {(t, p, o): (stage, key, value) for t, p, o, stage, key, value in self.rows(_BURIED)}

    def times_applied(self, ids: Iterable[str]) -> int:
        query = "SELECT count(*) FROM main.ledger WHERE event_id = ANY(%s)"
        return int(self.rows(query, [UUID(one) for one in ids])[0][0])


def eventually(
    condition: Callable[[], bool], what: str, seconds: float = 60, pause: float = 0.2
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause)
