"""The projector as a Faust app: Faust manages the consumer group and fetches records.

Offsets, batches and transactions are handled here and not by Faust.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import faust
import psycopg
from faust.types import TP

from projections.core.fold import Group
from schemas.topics import TOPICS
from services.projector.batch import STAGES
from services.projector.pipeline import Pipeline
from services.projector.progress import under_way
from services.projector.transport import BatchTransport
from services.projector.writer import Writer
from services.runtime.config import Settings
from services.runtime.db import conninfo
from services.runtime.exit_codes import Exit
from services.runtime.logging import log
from services.runtime.metrics import FENCED, HELD, partition_from_start

QUIET_SECONDS = 8.0
OFFER_AGAIN_SECONDS = 0.2  # to notice that the assignment has ended
CLAIM = """
insert into checkpoint (grp, topic, partition, owner, epoch)
select %(grp)s, topic, partition, %(owner)s, 1
from unnest(%(topics)s::text[], %(partitions)s::int[]) as t(topic, partition)
order by topic, partition
on conflict (grp, topic, partition) do update
    set epoch = checkpoint.epoch + (checkpoint.owner is distinct from excluded.owner)::int,
        owner = excluded.owner
returning topic, partition, next_offset, epoch
"""


def leave(reason: str, group: str) -> None:
    """Logs the reason and ends the process at once.

    Its supervisor restarts it; it then resumes at the stored checkpoints.
    """
    FENCED.labels(group).inc()
    log.error("projector_exiting", reason=reason)
    os._exit(Exit.AGAIN)


class ProjectorApp(faust.App):
    """A Faust app that starts reading at the checkpoints in Postgres.

    `held`: next offset to apply, by partition that this process owns. `followed`: the topics that
    it reads. `building`: projections that are being built and not folded here. `claimed`: whether
    partitions were claimed once; `held` may be empty even then.
    """

    group: Group
    dsn: str
    owner: UUID
    writer: Writer
    pipeline: Pipeline
    held: dict[tuple[str, int], int]
    claimed: bool
    on_claim: Any
    followed: list[str]
    building: frozenset[str]

    async def claim(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Becomes the owner of these partitions; returns their checkpoints, the offsets at which
        reading starts.

        Ends the process if a transaction still runs, Postgres does not answer in time, or a
        projection was built since the process started.
        """
        quiet = await asyncio.to_thread(self.pipeline.drop, QUIET_SECONDS)
        if not quiet:
            leave("a transaction did not end in time for the new assignment", self.group.name)
        topics = self.followed
        mine = sorted((tp.topic, tp.partition) for tp in assigned if tp.topic in topics)
        rows = await asyncio.to_thread(self._claim, mine)
        for place in self.held:
            HELD.labels(self.group.name, place[0], str(place[1])).set(0)
        self.held = {(topic, partition): offset for topic, partition, offset, _ in rows}
        for place in self.held:
            HELD.labels(self.group.name, place[0], str(place[1])).set(1)
            partition_from_start(self.group.name, *place, STAGES)
        self.writer.applier.epochs = {
            (topic, partition): epoch for topic, partition, _, epoch in rows
        }
        self.claimed = True
        self.pipeline.expected.update(self.held)
        self.on_claim()
        log.info("partitions_claimed", partitions=len(mine))
        return {TP(topic, partition): offset for (topic, partition), offset in self.held.items()}

    def _claim(self, mine: list[tuple[str, int]]) -> list[tuple[str, int, int, int]]:
        deadline = time.monotonic() + 30
        while True:
            try:
                info = conninfo(self.dsn, group=self.group.name, name="hitotsu-claim")
                with psycopg.connect(info, autocommit=True) as connection:
                    connection.execute("set lock_timeout = '10s'")
                    rows = connection.execute(
                        CLAIM,
                        {
                            "grp": self.group.name,
                            "owner": self.owner,
                            "topics": [topic for topic, _ in mine],
                            "partitions": [partition for _, partition in mine],
                        },
                    ).fetchall()
                    # a swap of tables before the claim is noticed here; a later one by the epoch
                    if not self.building <= under_way(connection, self.group.name).keys():
                        leave("a projection was built since this process started", self.group.name)
                    return rows
            except psycopg.OperationalError as error:
                log.warning("postgres_away", error=type(error).__name__)
                if time.monotonic() > deadline:
                    leave("Postgres did not return the checkpoints in time", self.group.name)
                time.sleep(0.3)


def build(
    settings: Settings, group: Group, topics: list[str], building: frozenset[str] = frozenset()
) -> ProjectorApp:
    """Creates the Faust app with all its options.

    `building`: projections of the group that are being built; `group` does not have these.
    """
    app = ProjectorApp(
        f"hitotsu-{group.name}",
        broker=f"kafka://{settings.kafka}",
        datadir=str(Path(tempfile.gettempdir()) / "hitotsu-faust"),
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=8,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=2_000,
        broker_commit_interval=15.0,
        broker_session_timeout=10,
        broker_heartbeat_interval=2,
        broker_request_timeout=40,
        consumer_max_fetch_size=1 << 19,
        consumer_metadata_max_age_ms=10_000,
        producer_acks=-1,
    )
    app.transport = BatchTransport(app.conf.broker_consumer, app)
    app.group, app.dsn, app.held, app.claimed = group, settings.postgres, {}, False
    app.followed, app.building = topics, building
    source = app.topic(*topics, value_serializer="as_fetched", key_serializer="raw")

    @app.agent(source, name="project")
    async def project(stream: Any) -> None:
        room, loop = asyncio.Event(), asyncio.get_running_loop()
        app.pipeline.room = partial(loop.call_soon_threadsafe, room.set)
        async for event in stream.events():
            message = event.message
            try:
                run, fetched = event.value
                while fetched and message.generation_id == app.consumer_generation_id:
                    room.clear()
                    fetched = app.pipeline.offer(fetched, run)
                    if fetched:
                        with suppress(TimeoutError):
                            await asyncio.wait_for(room.wait(), OFFER_AGAIN_SECONDS)
            except Exception as error:  # Faust would count a batch whose agent failed as done
                leave(f"agent: {type(error).__name__}", group.name)

    return app


def topics_to_apply(group: Group) -> list[str]:
    """The topics that the group reads; the live group, whose ledger records every event, reads all
    topics that have events.
    """
    return [name for name in TOPICS if TOPICS[name].events] if group.live else sorted(group.topics)
