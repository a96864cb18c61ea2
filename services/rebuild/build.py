"""Builds projections that are new, or have a new version, table or column.

The log is folded from offset 0 into a shadow schema, up to the group's position; then the tables
are swapped in. An event that the group applied and such a projection refuses becomes a dead letter
of that projection only; it stays applied for the others.

If these tables replace those of an older release, the answers that change are listed first
(`former_answers`). For that, projections that are not built may be folded too: their tables are
compared and not replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg

from projections.core.comparison import Comparison
from projections.core.projection import Projection, linked
from services.projector.former_tables import drop_former_tables
from services.projector.progress import under_way
from services.rebuild import former_answers, hold_endings, rejected_events
from services.rebuild.build_fold import BuildFolding, BuildShadow, OldTimes
from services.rebuild.compare import Pair
from services.rebuild.run import Folds, Progress, Rebuild, RebuildReport
from services.rebuild.shadow import Shadow
from services.rebuild.swap import Swap
from services.runtime.config import Settings
from services.runtime.db import conninfo
from services.runtime.logging import log
from services.verify.log import Log

NOTE_PROGRESS = """
update hitotsu.projection_building set read = %s, total = %s
where grp = %s and projection = any(%s)
"""


@dataclass(slots=True)
class BuildReport(RebuildReport):
    """Report of a build. `refused`: number of applied events that a projection refuses, by name."""

    refused: dict[str, int] = field(default_factory=dict)


def build(settings: Settings, projections: list[Projection]) -> BuildReport | None:
    """Builds the projections that the group has recorded as being built; None if there are none.

    `projections`: all projections of the group. Raises UnderWay while another rebuild of the group
    runs, CannotRebuild, and LogUnreadable.
    """
    info = conninfo(settings.postgres, group=settings.group, name="hitotsu-rebuild")
    with psycopg.connect(info, autocommit=True) as connection:
        building = under_way(connection, settings.group)
        names = [one.name for one in projections if building.get(one.name) == one.version]
        if not names:
            return None
        upgrade = former_answers.upgrade_under_way(connection, settings.group)
        work = ProjectionBuild(settings, projections, names, upgrade)
        noted = 0

        def note(step: str, done: int, whole: int) -> None:
            nonlocal noted
            # `done` starts at 0 in each run; the stored progress counts from the start of the log
            if step == "folding":
                read = work.already + done
                if read != noted:
                    values = [read, work.already + whole, settings.group, names]
                    connection.execute(NOTE_PROGRESS, values)
                    noted = read
            log.info("build_progress", step=step, done=done, total=whole)

        work.run(fresh=False, check=False, progress=note)
    report = work.report
    assert isinstance(report, BuildReport)
    log.info(
        "build_swapped",
        projections=names,
        records=report.events,
        refused=report.refused,
        seconds=report.seconds,
    )
    return report


class ProjectionBuild(Rebuild):
    """A rebuild of projections that are being built; their rows are not compared with live ones.

    `chosen`: the names of these projections; `projections`: all of the group.
    """

    already = 0
    """Number of records that an interrupted build had folded before this one continued."""

    def __init__(
        self,
        settings: Settings,
        projections: list[Projection],
        chosen: list[str],
        upgrade: former_answers.Upgrade | None = None,
    ) -> None:
        """`upgrade`: the upgrade under way, of which the changed answers are listed."""
        self._built = linked(projections, chosen)
        beside = former_answers.compared_beside(projections, self._built) if upgrade else set()
        super().__init__(settings, projections, [*self._built, *beside])
        self.report = BuildReport(sorted(self._built))
        self._upgrade = upgrade
        self._unbuilt = [one for one in projections if one.name not in self._built]

    def _shadow(self) -> Shadow:
        return BuildShadow(self._settings.postgres, self._live, self._group)

    def _folding(self, shadow: Shadow, log: Log, topics: Mapping[str, int]) -> Folds:
        assert isinstance(shadow, BuildShadow)
        self._former = former_answers.FormerAnswers(
            shadow.connection, self._live, shadow.name, self._built
        )
        self.already = sum(log.positions.values())
        old_until = self._upgrade.old_until if self._upgrade else {}
        old_times = OldTimes(old_until, self._unbuilt)
        return BuildFolding(self._settings.postgres, shadow, log, topics, old_times)

    def _catch_up(self, swap: Swap, folding: Folds, progress: Progress) -> None:
        if self._upgrade is not None:
            self._compare_with_former(self._upgrade, swap, folding, progress)
        super()._catch_up(swap, folding, progress)

    def _compare_with_former(
        self, upgrade: former_answers.Upgrade, swap: Swap, folding: Folds, progress: Progress
    ) -> None:
        """Folds up to where the old tables stand, and lists the answers that change."""
        ends = {place: upgrade.positions.get(place, 0) for place in self._mine(swap.ends())}
        whole, done = folding.left(ends), 0

        def moved(many: int) -> None:
            nonlocal done
            done += many
            progress("folding", done, whole)

        folding.fold(ends, moved)
        progress("comparing with the tables of before", 0, 1)
        self._former.compare(self._comparisons(self._built))

    def _comparisons(self, names: set[str]) -> list[Comparison]:
        return [
            one for projection in self._projections if projection.name in names
            for one in projection.comparisons
        ]  # fmt: skip

    def _compare(self, shadow: Shadow, pairs: list[Pair], progress: Progress) -> None:
        # the live tables are incomplete or of another version, so differences mean nothing
        for pair in pairs:
            pair.begin(shadow.connection)
            pair.comparable = False
        beside = {one.name for one in self._projections} - self._built
        self._former.compare(self._comparisons(beside))
        shadow.connection.execute("commit")

    def _tell(self, shadow: Shadow, pairs: list[Pair]) -> None:
        super()._tell(shadow, self._replaced(pairs))

    def _replaced(self, pairs: list[Pair]) -> list[Pair]:
        return [pair for pair in pairs if pair.table.projection in self._built]

    def _replace(self, swap: Swap, shadow: Shadow, pairs: list[Pair], refill: bool) -> bool:
        report = self.report
        assert isinstance(report, BuildReport)
        built = [one for one in self._projections if one.name in self._built]
        swap.within("set local lock_timeout = '500ms'")
        ended = hold_endings.still_held(swap, shadow.group)
        report.refused = rejected_events.replace(
            swap.connection, self._live, shadow.name, report.projections
        )
        if self._upgrade is not None:
            former_answers.finish(swap, self._upgrade, shadow.name)
        swap.replace(built, self._replaced(pairs), shadow.name, True)
        drop_former_tables(swap.connection, self._live, built)
        hold_endings.end(swap, ended)
        return True
