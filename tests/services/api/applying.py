"""Applies facts to the API's database as a projector does, and shows the rows in Redis later.

Between the two the API reads what every deployment shows for a moment: the fact is in Postgres,
the row in Redis is the one from before it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from redis import Redis

from projections import discover
from projections.core.fold import Group
from schemas.wire import codec
from services.projector.apply import CommittedBatch
from services.projector.batch import BatchWork, Recent, Slice, decoded
from services.projector.redis_views import ViewWriter
from services.projector.refresh import Refresher, redis_client
from services.projector.write_behind import Job
from services.projector.writer import Writer
from tests.projections.driving import Record
from tests.services.api.conftest import Running
from tests.services.api.shop import GENERATION

OWNER = UUID(int=77)
# those that the shop's own rows do not use, another one each time: offsets never go back
PARTITIONS = itertools.cycle(range(1, 8))


class Applying:
    """One projector's transactions; `show` is what its thread for Redis does after them."""

    def __init__(self, api: Running) -> None:
        self._api, self._ends, self._partition = api, dict[str, int](), next(PARTITIONS)
        group = Group("main", discover())
        guard = threading.RLock()
        self._writer = Writer(
            api.endpoints.postgres, group, OWNER, Recent(), guard, lambda work: True
        )
        self._redis = Redis.from_url(api.endpoints.redis)
        self._views = ViewWriter(self._redis, group)
        self._refresher: Refresher | None = None
        self._applied: list[Any] = []

    def apply(self, *events: Any) -> list[CommittedBatch]:
        """Commits the events as one batch of one partition; Redis is not told."""
        (topic,) = {event.TOPIC for event in events}
        self._applied += events
        first = self._ends.setdefault(topic, self._begun(topic))
        records = [
            Record(topic, self._partition, first + number, codec.key_of(event), codec.encode(event))
            for number, event in enumerate(events)
        ]
        work = BatchWork()
        one = Slice(topic, self._partition, first, decoded(records, topic))
        applier = self._writer.applier
        work.add(one, self._writer.group, self._writer.recent, applier.topics)
        self._ends[topic] += len(records)
        return [applied for _, applied in self._writer.apply(work)]

    def show(self, *batches: CommittedBatch) -> None:
        """Writes the rows of these batches to Redis, and the position after them."""
        for applied in batches:
            self._views.write(applied.due.told, GENERATION, applied.due.chunks)
            self._views.advance(applied.positions)

    def refresh(self) -> None:
        """From now on a projector's own thread shows in Redis what is told."""
        views = ViewWriter(redis_client(self._api.endpoints.redis), self._writer.group)
        struck = self._writer.applier.written.append
        self._refresher = Refresher(views, self._api.endpoints.postgres, OWNER, struck)
        self._refresher.start()

    def tell(self, *events: Any) -> None:
        """Commits a batch and hands it to that thread."""
        assert self._refresher is not None
        for applied in self.apply(*events):
            self._refresher.take(Job(applied, lambda: None))

    def close(self) -> None:
        """Takes rows and partitions away again, and shows Redis what is left."""
        if self._refresher is not None:
            self._refresher.stop()
            self._refresher._close()
            self._refresher.views.redis.close()
        if self._writer.connection is not None:
            self._writer.connection.close()
        with self._connected() as connection:
            for statement in (
                "delete from hitotsu.checkpoint where partition = %s",
                "delete from hitotsu.redis_pending where %s > 0",
                "update hitotsu.cache_generation set generation = %s, server = null",
            ):
                value = GENERATION if "generation" in statement else self._partition
                connection.execute(statement.encode(), [value])
            ids = [UUID(bytes=event.meta.event_id) for event in self._applied]
            for table in ("ledger", "point_entry", "stock_promise", "stock_cell_change"):
                connection.execute(
                    f"delete from main.{table} where event_id = any(%s)".encode(), [ids]
                )
            skus = [event.sku for event in self._applied if hasattr(event, "sku")]
            connection.execute("delete from main.stock_cell where sku = any(%s)", [skus])
        self._api.shop.copy_to_redis()
        self._redis.close()

    def _begun(self, topic: str) -> int:
        with self._connected() as connection:
            connection.execute(
                "insert into hitotsu.checkpoint (grp, topic, partition, owner, epoch)"
                " values ('main', %s, %s, %s, 1) on conflict do nothing",
                [topic, self._partition, OWNER],
            )
        self._writer.applier.epochs[topic, self._partition] = 1
        return 0

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._api.endpoints.postgres, autocommit=True)


@contextmanager
def applying(api: Running) -> Iterator[Applying]:
    own = Applying(api)
    try:
        yield own
    finally:
        own.close()
