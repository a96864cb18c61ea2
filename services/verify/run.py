"""Runs a verification: takes a snapshot, reads the log, and reads it again if something differs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from projections.core.projection import Projection
from projections.core.tables import Ledger, StoredTable
from services.invariants.full_check import tested
from services.invariants.invariant import Invariant
from services.runtime.config import Settings
from services.runtime.record_at import KafkaSilent, RecordReader
from services.verify import redis, sums, tables
from services.verify.causes import Search
from services.verify.judge import LogJudge
from services.verify.log import Log, LogUnreadable, Place
from services.verify.model import TableModel
from services.verify.report import Difference, VerifyReport
from services.verify.snapshot import VerifySnapshot, ends

Progress = Callable[[str, int, int], None]


class CannotVerify(Exception):
    """A chosen projection cannot be compared; the text says why."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Verifies the `chosen` projections of a group, and tests `invariants` for every key.

    `projections`: all of the group.
    """

    settings: Settings
    projections: list[Projection]
    chosen: list[str]
    invariants: tuple[Invariant, ...] = ()

    def run(self, progress: Progress) -> VerifyReport:
        """Compares everything; `progress` is called with a step's name, records done and total.

        Raises CannotVerify, or LogUnreadable if Kafka does not answer or records are missing.
        """
        began = time.perf_counter()
        report = VerifyReport(self.chosen)
        model = TableModel(self.projections, self.chosen)
        snapshot = VerifySnapshot(self.settings.postgres, self.settings.group, model.tables)
        placed = RecordReader(self.settings.kafka)
        try:
            self._check_versions(snapshot)
            self._compare(snapshot, LogJudge(snapshot, model, report, placed), report, progress)
        except KafkaSilent:
            raise LogUnreadable(
                "Kafka did not return the applied record with which a resend has to be compared"
            ) from None
        finally:
            placed.close()
            snapshot.close()
        asyncio.run(self._hold(report))
        report.seconds = round(time.perf_counter() - began, 3)
        return report

    async def _hold(self, report: VerifyReport) -> None:
        """Tests the invariants for every key on the present data, not on the snapshot."""
        settings = self.settings
        async for one, many, broken in tested(settings.postgres, settings.group, self.invariants):
            report.tested[one.name] = report.tested.get(one.name, 0) + many
            for key, what in broken.items():
                text = tuple(map(str, key))
                report.add(Difference("invariant", one.name, text, what.expected, what.found))

    def _compare(
        self, snapshot: VerifySnapshot, judge: LogJudge, report: VerifyReport, progress: Progress
    ) -> None:
        model = judge.model
        limits = self._limits(snapshot, model)
        report.position = {
            f"{topic}-{partition}": end for (topic, partition), end in limits.items()
        }
        report.events = sum(limits.values())
        self._read("folding", limits, judge.take, progress)
        judge.finish()
        model.finish()
        tables.compare(snapshot, model, report)
        surplus = _surplus(snapshot, judge, model.tables, report)
        strange = sums.compare(snapshot, judge, limits, report)
        self._redis(model.tables, report)
        if not (report.total or surplus or strange):
            return
        search = Search(snapshot, model, judge.missing, report)
        for table in surplus:
            search.surplus_in(table)
        if strange:
            search.surplus_in(None)
        self._read("looking up events", limits, search.take, progress)
        search.finish()

    def _read(
        self,
        step: str,
        limits: Mapping[Place, int],
        take: Callable[..., None],
        progress: Progress,
    ) -> None:
        """Passes all records before `limits` to `take`.

        Topics with erasures come first, so that erased subjects are known for the other topics.
        """
        topics = {kind.TOPIC for one in self.projections for kind in one.erasures}  # type: ignore[attr-defined]
        erasures = {p: end for p, end in limits.items() if p[0] in topics}
        others = {p: end for p, end in limits.items() if p not in erasures}
        done, whole = 0, sum(limits.values())
        for part in (erasures, others):
            log = Log(self.settings.kafka, dict.fromkeys(part, 0))
            try:
                while found := log.read(part):
                    for place, records in found.items():
                        take(place, records)
                        done += len(records)
                    progress(step, done, whole)
            finally:
                log.close()

    def _limits(self, snapshot: VerifySnapshot, model: TableModel) -> dict[Place, int]:
        """The offset before which to read, by partition that the chosen projections read: the
        snapshot's checkpoints.
        """
        limits = ends(snapshot.counts)
        if len(self.chosen) == len(self.projections):
            return limits
        topics = topics_of(self.projections, self.chosen)
        return {place: end for place, end in limits.items() if place[0] in topics}

    def _check_versions(self, snapshot: VerifySnapshot) -> None:
        for one in self.projections:
            held = snapshot.versions.get(one.name)
            if one.name in self.chosen and one.name in snapshot.building:
                raise CannotVerify(
                    f"the projection {one.name} is being built from the log: verify it later, or"
                    " name other projections"
                )
            if one.name in self.chosen and held != one.version:
                raise CannotVerify(
                    f"the projection {one.name} is declared as version {one.version}, but its"
                    f" tables have version {held}: run `hitotsu rebuild {one.name}`"
                )

    def _redis(self, kept: Iterable[StoredTable], report: VerifyReport) -> None:
        versions = {one.name: one.version for one in self.projections}
        settings = self.settings
        shown = redis.RedisComparison(
            settings.postgres, settings.redis, settings.group, versions, report
        )
        try:
            shown.compare(kept)
        finally:
            shown.close()


def topics_of(projections: Iterable[Projection], chosen: Iterable[str]) -> set[str]:
    """The topics that the chosen projections read, including those with erasures."""
    names = set(chosen)
    return set[str]().union(*(one.topics_to_read for one in projections if one.name in names))


def _surplus(
    snapshot: VerifySnapshot, judge: LogJudge, kept: Iterable[StoredTable], report: VerifyReport
) -> list[StoredTable]:
    """Ledgers that have more rows than the log produces. Also counts their rows in the report."""
    found: list[StoredTable] = []
    for table in kept:
        if isinstance(table, Ledger):
            many = report.rows[table.name] = snapshot.count(table)
            if many > judge.seen[table] - judge.absent[table]:
                found.append(table)
    return found
