"""`hitotsu rebuild --rejudge`: gives all records of a group their verdict anew, and folds them.

One transaction then replaces tables, event ledger, counts and dead letters, and ends the holds
whose events have become applied.
"""

from __future__ import annotations

from collections.abc import Mapping

from projections.core.projection import Projection
from projections.core.sql import quoted
from services.rebuild import hold_endings
from services.rebuild.compare import Pair
from services.rebuild.dead_letters import correct, false_and_missing
from services.rebuild.fold import CannotRebuild
from services.rebuild.group_shadow import COUNTED, ChoiceVoid, GroupShadow
from services.rebuild.refold import Refolding
from services.rebuild.run import Progress, Rebuild, RebuildReport, VerdictChanges
from services.rebuild.shadow import Shadow
from services.rebuild.swap import Swap
from services.runtime.config import Settings
from services.verify.log import Log, Place

LISTED_MAX = 200
ENGINE_TABLES = ("ledger", "duplicate_document", "erased_subject")
MOVED = """
select event_id, t.name || '-' || s.partition || '@' || s."offset",
    u.name || '-' || l.partition || '@' || l."offset"
from {shadow}.ledger s full join {live}.ledger l using (event_id)
left join topic t on t.no = s.topic left join topic u on u.no = l.topic
where (s.topic, s.partition, s."offset", s.hash, s.schema_id)
    is distinct from (l.topic, l.partition, l."offset", l.hash, l.schema_id)
"""
COUNTS = f"""
update hitotsu.checkpoint c set {", ".join(f"{name} = p.{name}" for name in COUNTED)},
    documents_from = 0, updated_at = now()
from {{shadow}}.progress p
where c.grp = %s and c.topic = p.topic and c.partition = p.partition
    and c.next_offset = p.next_offset
"""


class Rejudge(Rebuild):
    """A rebuild of all projections of a group, in which records are judged anew.

    `verdicts`: what changed compared with the live group.
    """

    def __init__(self, settings: Settings, projections: list[Projection]) -> None:
        super().__init__(settings, projections, [projection.name for projection in projections])
        self.verdicts = VerdictChanges()

    def run(self, fresh: bool, check: bool, progress: Progress) -> RebuildReport:
        """Folds, compares and swaps like `Rebuild.run`; the report has the changed verdicts."""
        report = super().run(fresh, check, progress)
        report.verdicts = self.verdicts
        return report

    def _shadow(self) -> GroupShadow:
        return GroupShadow(self._settings.postgres, self._live, self._group)

    def _log(self, starts: Mapping[Place, int]) -> Log:
        log = Log(self._settings.kafka, starts)
        try:
            log.check_beginning()
        except BaseException:
            log.close()
            raise
        return log

    def _folding(self, shadow: Shadow, log: Log, topics: Mapping[str, int]) -> Refolding:
        assert isinstance(shadow, GroupShadow)
        return Refolding(self._settings, shadow, log, topics)

    def _from_the_log(self, shadow: Shadow, swap: Swap, check: bool, progress: Progress) -> None:
        assert isinstance(shadow, GroupShadow)
        while True:
            try:
                super()._from_the_log(shadow, swap, check, progress)
                return
            except ChoiceVoid:
                self.report.resumed = False
                shadow.begin_anew()

    def _mine(self, ends: Mapping[Place, int]) -> dict[Place, int]:
        return dict(ends)

    def _compare(self, shadow: Shadow, pairs: list[Pair], progress: Progress) -> None:
        connection, changes = shadow.connection, self.verdicts
        names = {"shadow": quoted(shadow.name), "live": quoted(self._live)}
        changes.ids, changes.moved = 0, []
        with connection.cursor() as cursor:
            for event_id, now, before in cursor.execute(MOVED.format(**names).encode()):
                changes.ids += 1
                if changes.ids <= LISTED_MAX:
                    changes.moved.append({"event_id": str(event_id), "applied": now, "was": before})
        changes.letters_withdrawn, changes.letters_added = false_and_missing(
            connection, self._live, shadow.name
        )
        super()._compare(shadow, pairs, progress)

    def _replace(self, swap: Swap, shadow: Shadow, pairs: list[Pair], refill: bool) -> bool:
        swap.within("set local lock_timeout = '500ms'")
        self._count(swap, shadow)
        changes = self.verdicts
        changes.letters_withdrawn, changes.letters_added = correct(
            swap.connection, self._live, shadow.name
        )
        ended = hold_endings.still_held(swap, shadow.group)
        changes.holds_ended = sum(map(len, ended.values()))
        # Redis' position is already past the events of these holds. Without a refill, its rows lack
        # the events, the holds are gone, and the held units would show as available.
        refill = refill or changes.holds_ended > 0
        swap.replace(self._projections, pairs, shadow.name, refill, ENGINE_TABLES)
        hold_endings.end(swap, ended)
        return refill

    def _count(self, swap: Swap, shadow: Shadow) -> None:
        """Overwrites the counts of all checkpoints of the live group.

        Raises `CannotRebuild` if a checkpoint has another position than the shadow.
        """
        counted = swap.connection.execute(
            COUNTS.format(shadow=quoted(shadow.name)).encode(), [self._live]
        )
        held = sum(1 for end in swap.ends().values() if end)
        if counted.rowcount < held:
            raise CannotRebuild(
                f"{held - counted.rowcount} partitions of the rebuild are not at the position of"
                f" the group {self._live}: run `hitotsu rebuild --rejudge` again"
            )
