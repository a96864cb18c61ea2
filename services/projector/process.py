"""Creates, starts and stops the parts of a projector process."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette

from projections import of_group
from projections.core.fold import Group
from schemas.topics import TOPICS
from services.http.health import Dependency, health_operations
from services.http.response import OneWriteProtocol
from services.projector.app import ProjectorApp, build, leave, topics_to_apply
from services.projector.apply import failure_of
from services.projector.batch import APPLIED, STAGES, BatchWork, Recent, Verdict
from services.projector.builds import BuildRunner
from services.projector.database import prepare
from services.projector.pipeline import STEPS, Pipeline
from services.projector.redis_views import ViewWriter
from services.projector.refresh import Refresher, redis_client
from services.projector.relay import DeadLetterRelay
from services.projector.watch import ProgressWatch
from services.projector.write_behind import Job
from services.projector.writer import CAUSES, Writer
from services.runtime import metrics
from services.runtime.config import Settings
from services.runtime.groups import LIVE
from services.runtime.readiness import NotReady
from services.runtime.record_at import RecordReader

COUNTERS = {
    Verdict.APPLIED: metrics.APPLIED,
    Verdict.DUPLICATE: metrics.DUPLICATE,
    Verdict.CONFLICT: metrics.CONFLICT,
}
SAMPLED = 20  # at most so many events of a batch have their latency measured


class Projector:
    """A projector process: Faust app, pipeline, writer, Redis refresher, relay of dead letters,
    runner of builds, watchdog and health server.
    """

    def __init__(self, settings: Settings) -> None:
        declared = Group(settings.group, of_group(settings.group, LIVE))
        building = prepare(settings.postgres, declared)
        # projections that are being built are folded by the build; its swap ends this process
        self.group = Group(
            settings.group, [p for p in declared.projections if p.name not in building]
        )
        owner, recent = uuid4(), Recent()
        topics = topics_to_apply(declared)
        self.app: ProjectorApp = build(settings, self.group, topics, building)
        self.app.owner = owner
        guard = threading.RLock()
        self._placed = RecordReader(settings.kafka)
        writer = Writer(
            settings.postgres,
            self.group,
            owner,
            recent,
            guard,
            lambda work: self.pipeline.wanted(work),
            self._placed,
        )
        self.writer = self.app.writer = writer
        self.pipeline = self.app.pipeline = Pipeline(
            self.group, writer.applier.topics, recent, guard, self._apply, self._failed
        )
        views = ViewWriter(redis_client(settings.redis), self.group)
        self.refresher = Refresher(
            views, settings.postgres, owner, writer.applier.written.append, building
        )
        self.builds = BuildRunner(settings.postgres, declared, building, self._leave)
        self.app.on_claim = self.refresher.owe
        self.watch = ProgressWatch(
            settings.kafka, self.group.name, topics, self._held, self._leave,
            writer.applier.store.deriving.is_set,
        )  # fmt: skip
        self.relay = DeadLetterRelay(settings.postgres, settings.kafka)
        metrics.projector_from_start(self.group.name, STEPS, CAUSES)
        for topic in topics:
            for partition in range(TOPICS[topic].partitions):
                metrics.partition_from_start(self.group.name, topic, partition, STAGES)
        self._settings = settings

    def start(self) -> None:
        """Starts the health server, and all threads except those of Faust."""
        self.pipeline.start()
        self.refresher.start()
        self.watch.start()
        self.relay.start()
        self.builds.start()
        _serve(self._settings, [Dependency("assignment", self._ready)])

    def stop(self) -> None:
        """Stores the accepted batches and stops the threads of builds, pipeline and Redis, within
        time limits. The other threads end with the process.
        """
        self.builds.stop()
        self.pipeline.drain(5)
        stored = self.pipeline.stop()
        self.refresher.stop()
        if stored:  # else the store thread may still use it
            self._placed.close()

    async def _ready(self) -> dict[str, object]:
        if time.monotonic() - self.watch.seen_at > 10:
            raise NotReady("Kafka has not answered within the last 10 s")
        return {"partitions": self.watch.holding, "lag": self.watch.lag}

    def _held(self) -> dict[tuple[str, int], int] | None:
        return self.app.held if self.app.claimed else None

    def _leave(self, reason: str) -> None:
        leave(reason, self.group.name)

    def _failed(self, error: BaseException) -> None:
        self._leave(f"{type(error).__name__}: {error}")

    def _apply(self, work: BatchWork) -> None:
        for part, applied in self.writer.apply(work):
            self.app.held.update(applied.positions)
            self._count(part)
            self.refresher.take(Job(applied, self._freshness(part), self.pipeline.behind))

    def _count(self, work: BatchWork) -> None:
        name = self.group.name
        for (topic, partition), counts in work.counts().items():
            for verdict, counter in COUNTERS.items():
                counter.labels(name, topic, str(partition)).inc(counts[verdict])
            metrics.NEXT_OFFSET.labels(name, topic, str(partition)).set(
                self.app.held[topic, partition]
            )
            if not counts[Verdict.DEAD]:
                continue
            for one in work.slices:
                if (one.topic, one.partition) == (topic, partition):
                    for entry in one.entries:
                        failure = failure_of(entry)
                        if failure is not None and entry.verdict is Verdict.DEAD:
                            metrics.DEAD_LETTER.labels(
                                name, topic, str(partition), failure.stage
                            ).inc()

    def _freshness(self, work: BatchWork) -> Callable[[], None]:
        """A function that records the latency of at most `SAMPLED` events of the batch; to be
        called when readers can see the batch.
        """
        entries = [e for one in work.slices for e in one.entries if e.verdict is APPLIED]
        sample = entries if len(entries) <= SAMPLED else random.sample(entries, SAMPLED)
        times = [
            (entry.read().meta.occurred_at / 1e6, entry.record.timestamp / 1e3) for entry in sample
        ]

        def visible() -> None:
            now = time.time()
            for occurred, accepted in times:
                metrics.FRESH_OCCURRED.labels(self.group.name).observe(max(0.0, now - occurred))
                metrics.FRESH_ACCEPTED.labels(self.group.name).observe(max(0.0, now - accepted))

        return visible


def health_application(dependencies: list[Dependency]) -> Starlette:
    """Health and metrics of a projector; paths with a trailing slash are 404, not redirected."""
    application = Starlette(routes=[each.route() for each in health_operations(dependencies)])
    application.router.redirect_slashes = False
    return application


def _serve(settings: Settings, dependencies: list[Dependency]) -> None:
    """Serves health and metrics in a thread with its own event loop, so that they answer even if
    Faust hangs.
    """
    config = uvicorn.Config(
        health_application(dependencies),
        host=settings.host,
        port=settings.metrics_port,
        http=OneWriteProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, name="health", daemon=True).start()
