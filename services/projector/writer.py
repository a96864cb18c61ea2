"""Applies batches despite failures: connects again, judges again, splits off unstorable records."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from projections.core.fold import Group, HandlerFailed
from services.projector.apply import AlreadySeen, Applier, CommittedBatch, Fenced
from services.projector.batch import BatchWork, Failure, Recent, Verdict
from services.projector.database import topic_numbers
from services.projector.first_record import compare, read_documents
from services.projector.store import Connection
from services.runtime.db import conninfo
from services.runtime.logging import log
from services.runtime.metrics import BATCH_EVENTS, BATCH_SECONDS, CAREFUL_BATCHES
from services.runtime.record_at import KafkaSilent, RecordReader

CAUSES = ("seen", "handler", "unstorable")  # why a batch has to be judged again or split
UNSTORABLE = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,  # a value is too long for an index
    struct.error,
    OverflowError,
    UnicodeError,
    TypeError,
    ValueError,
)
DOUBTED_MAX = 200  # conflicts of a transaction to verify in Kafka; about 15 ms each
PAUSES = 0.05, 2.0  # seconds between tries while Postgres is away: first, longest
LIMITS = (
    "set lock_timeout = '5s'; set statement_timeout = '20s';"
    " set idle_in_transaction_session_timeout = '5s'"
)


class ManyToRead(Exception):
    """Too many first records have to be read for one batch: it is stored in parts, so that none
    takes long.
    """


@dataclass
class Writer:
    """Applies batches and retries while Postgres or Kafka is away; used by one thread only.

    `wanted`: whether a batch still belongs to the present assignment. `placed`: reads applied
    records from Kafka to verify conflicts; None: conflicts are decided by hashes.
    """

    dsn: str
    group: Group
    owner: UUID
    recent: Recent
    guard: threading.RLock
    wanted: Callable[[BatchWork], bool]
    placed: RecordReader | None = None
    connection: Connection | None = None
    applier: Applier = field(init=False)
    careful_until: float = 0.0

    def __post_init__(self) -> None:
        self.applier = Applier(self.group, self.owner, topic_numbers(self._connected()))

    def apply(self, work: BatchWork) -> Iterator[tuple[BatchWork, CommittedBatch]]:
        """Applies the batch, in parts if needed; yields the parts with their results.

        Ends early if the batch is no longer wanted. Raises Fenced.
        """
        parts = [work]
        while parts:
            part = parts.pop(0)
            if part.recent_version != self.recent.version:
                self._fold(part)
            try:
                applied = self._apply_part(part)
            except ManyToRead:
                with self.guard:
                    self.recent.withdraw()
                parts[:0] = part.halves()
                continue
            except UNSTORABLE as error:
                parts[:0] = self._split(part, error)
                continue
            if applied is None:
                return
            self.recent.remember(part.ids)
            if not parts:
                self.recent.settle()
            yield part, applied

    def _apply_part(self, work: BatchWork) -> CommittedBatch | None:
        (pause, longest), retried, seen = PAUSES, False, False
        while self.wanted(work):
            started = time.perf_counter()
            try:
                connection = self.connection or self._connected()
                if seen:
                    self._judge_again(connection, work)
                    seen = False
                applied = self.applier.committed(connection, work) if retried else None
                if applied is not None:
                    log.warning("commit_already_applied", records=work.size)
                    return applied
                read_again = max(len(work.doubted), len(work.unread))
                if self.placed is not None and read_again > DOUBTED_MAX and work.size > 1:
                    raise ManyToRead
                if work.unread and self.placed is not None:
                    self._read_documents(connection, work, self.placed)
                if work.doubted and self.placed is not None:
                    topics = self.applier.topics
                    if not compare(work, connection, topics, self.placed, self.wanted):
                        return None
                applied = self.applier.apply(connection, work)
            except KafkaSilent:
                log.warning("first_record_not_read", retry_in=pause)
                time.sleep(pause)
                pause = min(2 * pause, longest)
                continue
            except AlreadySeen:
                seen = True
                continue
            except HandlerFailed as error:
                self._bury(work, error)
                continue
            except UNSTORABLE:
                raise  # some are subclasses of psycopg.OperationalError, caught below
            except (
                psycopg.OperationalError,
                psycopg.InterfaceError,
                psycopg.InternalError,
            ) as error:
                log.warning("postgres_away", error=type(error).__name__, retry_in=pause)
                self._disconnect()
                time.sleep(pause)
                pause, retried = min(2 * pause, longest), True
                continue
            BATCH_SECONDS.labels(self.group.name, "store").observe(time.perf_counter() - started)
            BATCH_EVENTS.labels(self.group.name).observe(work.size)
            return applied
        return None

    def _judge_again(self, connection: Connection, work: BatchWork) -> None:
        """Judges the batch again with the event ledger: it has ids or documents that are stored and
        not in `recent`.
        """
        known = self.applier.known(connection, work)
        CAREFUL_BATCHES.labels(self.group.name, "seen").inc()
        with self.guard:
            work.judge_again(self.group, self.recent, self.applier.topics, known)

    def _read_documents(
        self, connection: Connection, work: BatchWork, placed: RecordReader
    ) -> None:
        """Judges the batch again, with the contents of documents that the ledger does not have yet,
        because an older release applied them.
        """
        CAREFUL_BATCHES.labels(self.group.name, "seen").inc()
        known = read_documents(work, connection, self.applier.topics, placed)
        with self.guard:
            work.judge_again(self.group, self.recent, self.applier.topics, known)

    def _bury(self, work: BatchWork, error: HandlerFailed) -> None:
        """Marks the event that a state machine (evolution) refused as failed, and folds the batch
        again, so that the event becomes a dead letter.
        """
        CAREFUL_BATCHES.labels(self.group.name, "handler").inc()
        for one in work.slices:
            for entry in one.entries:
                if entry.event_id == error.event.meta.event_id and entry.verdict is Verdict.APPLIED:
                    entry.failure = Failure("apply", type(error.__cause__).__name__, str(error))
        with self.guard:
            self.recent.withdraw()
        self._fold(work)

    def _fold(self, work: BatchWork) -> None:
        with self.guard:
            work.fold(self.group, self.recent, self.applier.topics)

    def _split(self, work: BatchWork, error: Exception) -> list[BatchWork]:
        """Halves a batch that Postgres refuses; a batch of one record comes back marked as failed,
        so that the record becomes a dead letter.

        Raises Fenced if that record was not to be applied, so that the process ends.
        """
        CAREFUL_BATCHES.labels(self.group.name, "unstorable").inc()
        if self.connection is not None and self.connection.broken:
            self._disconnect()
        with self.guard:
            self.recent.withdraw()
        if work.size > 1:
            # a half is folded in its turn, because the half before may lose records to dead letters
            return work.halves()
        entry = work.slices[0].entries[0]
        if entry.verdict is not Verdict.APPLIED:
            raise Fenced(
                f"Postgres refuses a record that is not applied: {type(error).__name__}"
            ) from error
        entry.failure = Failure(
            "store", type(error).__name__, "Postgres cannot hold a value of this event"
        )
        return [work]

    def _connected(self) -> Connection:
        connection = psycopg.connect(
            conninfo(self.dsn, group=self.group.name, name="hitotsu-projector"), autocommit=True
        )
        connection.execute(LIMITS)
        self.connection = connection
        return connection

    def _disconnect(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
