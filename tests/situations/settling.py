"""Waits until the program's rules have decided the points of everything that was sent.

Points by rules come in events of their own, which nobody outside can name. So it is read where the
decisions are made: sales that the log told are followed and put down as due, judged, and their
events sent by the outbox; the ends of the topic of points are then asked of Kafka.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import psycopg
from confluent_kafka import Consumer, TopicPartition

from infra.backend import Endpoints
from services.points.background.sales_feed import TOPICS
from tests.situations.wire import Wire

POINTS, PARTITIONS = "commerce.points", 8
SECONDS, PAUSE_SECONDS = 30.0, 0.02
# what is judged may have other sales judged again
CHAINED = 3
FOLLOWED = "select topic || '-' || partition, next_offset from hitotsu.points_cursor"
NOW = "select clock_timestamp()"
DUE = "select 1 from hitotsu.points_due where failed is null and since <= %s limit 1"
NEWEST = "select coalesce(max(id), 0) from hitotsu.outbox"
UNSENT = "select 1 from hitotsu.outbox where sent_at is null and id <= %s limit 1"


def decides_points(place: str) -> bool:
    """Whether events in this partition may lead to decisions about points."""
    return place.rpartition("-")[0] in TOPICS


class Settling:
    """Reads how far the decisions of one stack are."""

    def __init__(self, wire: Wire, endpoints: Endpoints) -> None:
        self._wire = wire
        self._database = psycopg.connect(endpoints.postgres, autocommit=True)
        self._kafka = Consumer({"bootstrap.servers": endpoints.kafka, "group.id": "ends"})

    def close(self) -> None:
        """Closes its connections."""
        self._database.close()
        self._kafka.close()

    def wait(self, told: Mapping[str, int]) -> None:
        """Waits until answers show the points of all that was sent.

        `told`: by partition, the offset after what was sent to it since the last time.
        """
        if not told:
            return
        self._until(lambda: self._followed(told), f"not all of {told} was followed")
        for _ in range(CHAINED):
            now = self._value(NOW)
            self._until(lambda now=now: self._none(DUE, now), "sales were not judged")
        newest = self._value(NEWEST)
        self._until(lambda: self._none(UNSENT, newest), "decided points were not sent")
        self._wire.positions |= self._ends()
        self._wire.ask("/v1/discrepancies", limit=1)

    def _followed(self, told: Mapping[str, int]) -> bool:
        at = dict(self._database.execute(FOLLOWED).fetchall())
        return all(at.get(place, 0) >= offset for place, offset in told.items())

    def _none(self, statement: str, value: object) -> bool:
        return self._database.execute(statement.encode(), [value]).fetchone() is None

    def _value(self, statement: str) -> object:
        row = self._database.execute(statement.encode()).fetchone()
        assert row is not None
        return row[0]

    def _ends(self) -> dict[str, int]:
        places = [TopicPartition(POINTS, number) for number in range(PARTITIONS)]
        ends = {
            f"{POINTS}-{place.partition}": self._kafka.get_watermark_offsets(place)[1]
            for place in places
        }
        return {place: end for place, end in ends.items() if end}

    @staticmethod
    def _until(true: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not true():
            assert time.monotonic() < deadline, otherwise
            time.sleep(PAUSE_SECONDS)
