"""Builds projections that are new, or have a new version, table or column.

The log is folded from offset 0 into a shadow schema, up to the group's position; then the tables
are swapped in. An event that the group applied and such a projection refuses becomes a dead letter
of that projection only; it stays applied for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg

from projections.core.projection import Projection
from services.projector.progress import under_way
from services.rebuild import hold_endings, rejected_events
from services.rebuild.build_fold import BuildFolding, BuildShadow
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
        work = ProjectionBuild(settings, projections, names)
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
    """A rebuild of projections that are being built; their tables are not compared with live ones.

    `chosen`: the names of these projections; `projections`: all of the group.
    """

    already = 0
    """Number of records that an interrupted build had folded before this one continued."""

    def __init__(
        self, settings: Settings, projections: list[Projection], chosen: list[str]
    ) -> None:
        super().__init__(settings, projections, chosen)
        self.report = BuildReport(self.report.projections)

    def _shadow(self) -> Shadow:
        return BuildShadow(self._settings.postgres, self._live, self._group)

    def _folding(self, shadow: Shadow, log: Log, topics: Mapping[str, int]) -> Folds:
        assert isinstance(shadow, BuildShadow)
        self.already = sum(log.positions.values())
        return BuildFolding(self._settings.postgres, shadow, log, topics)

    def _compare(self, shadow: Shadow, pairs: list[Pair], progress: Progress) -> None:
        # the live tables are incomplete or of another version, so differences mean nothing
        for pair in pairs:
            pair.begin(shadow.connection)
            pair.comparable = False
        shadow.connection.execute("commit")

    def _replace(self, swap: Swap, shadow: Shadow, pairs: list[Pair], refill: bool) -> bool:
        report = self.report
        assert isinstance(report, BuildReport)
        swap.within("set local lock_timeout = '500ms'")
        ended = hold_endings.still_held(swap, shadow.group)
        report.refused = rejected_events.replace(
            swap.connection, self._live, shadow.name, report.projections
        )
        swap.replace(self._projections, pairs, shadow.name, True)
        hold_endings.end(swap, ended)
        return True
