"""Projector processes without Faust and Kafka: real pipelines, writers and Postgres.

A log is drawn, fetched slice by slice, and applied while trouble comes at any step of a
transaction: lost connections, claims, other owners. More is fetched at every step, so that the
fold thread works ahead of the batch that is being stored.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg

from schemas.wire import codec
from services.projector.app import CLAIM
from services.projector.apply import CommittedBatch, Fenced
from services.projector.batch import BatchWork, Recent
from services.projector.pipeline import Pipeline
from services.projector.writer import Writer
from tests.projections.driving import Engine, Place, Record
from tests.services.projector.offset_order import (
    APPLIED,
    CONFLICT,
    COPY,
    DEAD,
    DUPLICATE,
    Said,
    verdicts,
)

FOLD_SECONDS = 0.05
LATEST_SECONDS = 30.0


@dataclass
class Drawn:
    """A log: records as Kafka hands them over, and what the model is told of each."""

    records: dict[Place, list[Record]] = field(default_factory=dict)
    said: dict[Place, list[Said]] = field(default_factory=dict)
    first: dict[Place, int] = field(default_factory=dict)

    def append(self, place: Place, event: Any, said: Said) -> None:
        """One more record of a partition."""
        offset = self.first.setdefault(place, 0) + len(self.records.setdefault(place, []))
        value = codec.encode(event)
        self.records[place].append(Record(*place, offset, codec.key_of(event), value))
        self.said.setdefault(place, []).append(said)

    def end(self, place: Place) -> int:
        """The offset after the last record."""
        return self.first[place] + len(self.records[place])

    def from_offset(self, place: Place, offset: int, many: int) -> list[Record]:
        """What a fetch finds there."""
        start = offset - self.first[place]
        return self.records[place][start : start + many]


class Trouble:
    """What goes wrong at a step; nothing does by default."""

    def before(self, process: Process, work: BatchWork) -> None:
        """Called as a transaction begins."""

    def inside(self, process: Process, step: str) -> None:
        """Called before a step of the transaction."""

    def after(self, process: Process, work: BatchWork) -> None:
        """Called when it is committed, and the worker does not know it yet."""


class Process:
    """One worker: fold thread, store thread, one connection."""

    def __init__(self, engine: Engine, log: Drawn, trouble: Trouble, memory: int) -> None:
        self.owner, self.failure = uuid4(), list[BaseException]()
        self._log, self._trouble = log, trouble
        self.cursor: dict[Place, int] = {}
        self._run, self._fetching = -1, threading.Lock()
        self.transactions: Counter[str] = Counter()
        recent, guard = Recent(memory), threading.RLock()
        self.writer = Writer(
            engine.dsn, engine.group, self.owner, recent, guard,
            lambda work: self.pipeline.wanted(work),
        )  # fmt: skip
        self.pipeline = Pipeline(
            engine.group, self.writer.applier.topics, recent, guard, self._apply,
            self.failure.append,
        )  # fmt: skip
        self._engine, self._really = engine, self.writer.applier.apply
        applier: Any = self.writer.applier
        applier.apply = self._in_trouble
        steps = [(applier, step) for step in ("_fence", "_advance", "known", "committed")]
        for owner, name in (*steps, (applier.store, "write")):
            setattr(owner, name, self._step(name, getattr(owner, name)))
        self.pipeline.start()

    def claim(self, places: list[Place]) -> None:
        """As on every assignment: gives up what is under way, then reads the checkpoints."""
        assert self.pipeline.drop(10)
        with self._fetching:
            self._run, self.cursor = self.pipeline.run, {}
        if not places:
            return
        rows = self._engine.connection.execute(
            CLAIM,
            {
                "grp": self._engine.group.name, "owner": self.owner,
                "topics": [topic for topic, _ in places],
                "partitions": [partition for _, partition in places],
            },
        ).fetchall()  # fmt: skip
        self.writer.applier.epochs = {(row[0], row[1]): row[3] for row in rows}
        held = {(row[0], row[1]): row[2] for row in rows}
        self.pipeline.expected.update(held)
        with self._fetching:
            self.cursor = held

    def fetch(self, place: Place, many: int) -> None:
        """Hands over the next records of a partition."""
        with self._fetching:
            cursor = self.cursor.get(place)
            if cursor is None or not (records := self._log.from_offset(place, cursor, many)):
                return
            self.cursor[place] = cursor + len(records)
            self.pipeline.offer([(place, records)], self._run)  # type: ignore[list-item]

    def wait_folded(self, seconds: float = FOLD_SECONDS) -> bool:
        """Until the fold thread has taken everything, or can take no more."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if all(self.pipeline.expected.get(p, at) >= at for p, at in self.cursor.items()):
                return True
            time.sleep(0.0005)
        return False

    def stop(self) -> None:
        """Ends both threads and the connection."""
        self.pipeline.stop()
        if self.writer.connection is not None:
            self.writer.connection.close()

    def _apply(self, work: BatchWork) -> None:
        for _ in self.writer.apply(work):
            pass

    def _step(self, name: str, really: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            self._trouble.inside(self, name)
            return really(*arguments)

        return step

    def _in_trouble(self, connection: Any, work: BatchWork) -> CommittedBatch:
        self._trouble.before(self, work)
        self.transactions["begun"] += 1
        applied = self._really(connection, work)
        self.transactions["committed"] += 1
        self._trouble.after(self, work)
        return applied


class Anything(Trouble):
    """At every step, by chance: more is fetched and folded, the connection goes, a claim comes."""

    def __init__(self, log: Drawn, chance: random.Random, rate: float) -> None:
        self._log, self._chance, self._rate = log, chance, rate
        self.claim_wanted = threading.Event()
        self.met: Counter[str] = Counter()

    def before(self, process: Process, work: BatchWork) -> None:
        self._fetch(process)
        if self._happens("claim"):
            self.claim_wanted.set()
            time.sleep(0.002)
        if self._happens("lost before"):
            self._lose(process)

    def inside(self, process: Process, step: str) -> None:
        # these two are seldom come to
        often = 6 if step in ("known", "committed") else 1
        if self._happens(f"lost at {step.strip('_')}", often):
            self._lose(process)

    def after(self, process: Process, work: BatchWork) -> None:
        self._fetch(process)
        if self._happens("lost after"):
            self._lose(process)

    def _fetch(self, process: Process) -> None:
        for _ in range(self._chance.randint(0, 3)):
            place = self._chance.choice(sorted(self._log.records))
            process.fetch(place, self._chance.randint(1, 6))
        if self._chance.random() < 0.7:
            process.wait_folded()

    def _lose(self, process: Process) -> None:
        assert process.writer.connection is not None
        process.writer.connection.close()
        raise psycopg.OperationalError("the connection is lost")

    def _happens(self, what: str, often: int = 1) -> bool:
        happens = self._chance.random() < often * self._rate
        self.met[what] += happens
        return happens


def run(
    engine: Engine, log: Drawn, trouble: Anything, chance: random.Random, memory: int
) -> list[Process]:
    """Two workers that pass the partitions to each other, until everything is applied."""
    processes = [Process(engine, log, trouble, memory) for _ in range(2)]
    deadline = time.monotonic() + LATEST_SECONDS
    try:
        _assign(engine, processes, log, chance)
        while not _through(engine, log):
            assert time.monotonic() < deadline, "not applied in time"
            for process in processes:
                assert all(isinstance(error, Fenced) for error in process.failure), process.failure
            if trouble.claim_wanted.is_set():
                trouble.claim_wanted.clear()
                _assign(engine, processes, log, chance)
            for process in processes:
                for place in list(process.cursor):
                    process.fetch(place, chance.randint(1, 9))
                process.wait_folded(0.002)
    finally:
        for process in processes:
            process.stop()
    return processes


def _assign(engine: Engine, processes: list[Process], log: Drawn, chance: random.Random) -> None:
    """Each partition goes to one of the workers; who had it has let go, as Kafka sees to it."""
    mine: list[list[Place]] = [[] for _ in processes]
    for place in log.records:
        mine[chance.randrange(len(processes))].append(place)
    for process in processes:
        process.claim([])
    for process, places in zip(processes, mine, strict=True):
        process.claim(places)


def _through(engine: Engine, log: Drawn) -> bool:
    rows = engine.connection.execute("select topic, partition, next_offset from checkpoint")
    ends = {(topic, partition): end for topic, partition, end in rows}
    return all(ends[place] == log.end(place) for place in log.records)


def wrong(engine: Engine, log: Drawn) -> list[str]:
    """Every record whose verdict is not the model's, and every count that does not say so."""
    stored = _stored(engine)
    told = []
    for place, said in log.said.items():
        expected = verdicts(said)
        for number, verdict in enumerate(expected):
            offset = log.first[place] + number
            actual = stored.get((*place, offset), DUPLICATE)
            if actual != verdict:
                told.append(f"{place[0]}-{place[1]} {offset}: {verdict} expected, {actual} stored")
        counted = Counter(stored.get((*place, o), DUPLICATE) for o in range(log.end(place)))
        counted[DUPLICATE] += counted.pop(COPY, 0)
        told += _miscounted(engine, place, counted)
    return told


def _stored(engine: Engine) -> dict[tuple[str, int, int], str]:
    ledger = engine.connection.execute(
        'select topic.name, partition, "offset" from ledger'
        " join hitotsu.topic on topic.no = ledger.topic"
    )
    stored = dict.fromkeys(ledger, APPLIED)
    copies = engine.connection.execute(
        'select t.name, d.partition, d."offset", d.duplicate_of, l.event_id'
        " from duplicate_document d join hitotsu.topic t on t.no = d.topic"
        " left join ledger l on l.event_id = d.duplicate_of"
    )
    for *where, named, first in copies:
        assert tuple(where) not in stored, f"applied, and a copy: {where}"
        assert named == first, f"a copy of what was not applied: {where}"
        stored[where[0], where[1], where[2]] = COPY
    letters = engine.connection.execute('select topic, partition, "offset", stage from dead_letter')
    for *where, stage in letters:
        assert tuple(where) not in stored, f"applied, and a dead letter: {where}"
        stored[where[0], where[1], where[2]] = CONFLICT if stage == "conflict" else DEAD
    return stored


def _miscounted(engine: Engine, place: Place, counted: Counter[str]) -> list[str]:
    row = engine.connection.execute(
        "select applied, duplicate, conflict, dead_letter from checkpoint"
        " where topic = %s and partition = %s",
        place,
    ).fetchone()
    expected = tuple(counted[verdict] for verdict in (APPLIED, DUPLICATE, CONFLICT, DEAD))
    return [] if row == expected else [f"{place}: counted {row}, stored {expected}"]
