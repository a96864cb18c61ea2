"""Reads what the newest upgrade of a group changed, from `hitotsu.upgrade` and `upgrade_change`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from services.runtime.db import conninfo

NEWEST = """
select id, projections, began_at, finished_at, result from hitotsu.upgrade
where grp = %s order by id desc limit 1
"""
CHANGES = """
select answer, key, before, after, documents, documents_total from hitotsu.upgrade_change
where upgrade_id = %s order by answer, number
"""


@dataclass(frozen=True, slots=True)
class ComparedAnswers:
    """How many answers of one kind were compared, and how many changed.

    `listed`: number of changed answers that were stored. `only_times`: number of changed answers
    that differ only because the times of wrong clocks were corrected. `reasons`: number of changed
    answers by reason. `replaced`: the tables of `projection` were built anew; False: they are as
    they were, and were compared with what the log gives. `failed`: why nothing was compared; None
    if it was.
    """

    projection: str
    replaced: bool
    compared: int = 0
    changed: int = 0
    listed: int = 0
    only_times: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    failed: str | None = None

    @property
    def contradicts_the_log(self) -> bool:
        """Whether answers that the upgrade leaves alone are not those that the log gives."""
        return not self.replaced and self.changed > self.only_times


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """What an upgrade changed. `finished_at` None: the old tables are still in use.

    `answers`: by kind; None: the upgrade has not finished, or the tables were replaced without
    being compared. `old_times`: by projection, the number of events whose rows keep the times of
    wrong clocks. `changes`: each with `answer`, `key`, `before`, `after`, `documents` and
    `documents_total`.
    """

    projections: list[str]
    began_at: datetime
    finished_at: datetime | None
    answers: Mapping[str, ComparedAnswers] | None
    old_times: Mapping[str, int]
    changes: list[dict[str, Any]]

    @property
    def contradicts_the_log(self) -> bool:
        """Whether answers of any kind that should be as before are not those of the log."""
        return any(one.contradicts_the_log for one in (self.answers or {}).values())

    @property
    def incomplete(self) -> bool:
        """Whether answers of any kind could not be compared."""
        return any(one.failed is not None for one in (self.answers or {}).values())

    def plain(self) -> dict[str, Any]:
        """The report as JSON values."""
        ended = self.finished_at
        return {
            **asdict(self),
            "began_at": self.began_at.isoformat(),
            "finished_at": None if ended is None else ended.isoformat(),
            "contradicts_the_log": self.contradicts_the_log,
            "incomplete": self.incomplete,
        }


def newest_report(dsn: str, group: str) -> UpgradeReport | None:
    """The newest upgrade of the group; None if none is on record."""
    info = conninfo(dsn, group=group, name="hitotsu-upgrade")
    with psycopg.connect(info) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(NEWEST, [group]).fetchone()
        if row is None:
            return None
        changes = cursor.execute(CHANGES, [row["id"]]).fetchall()
    result = row["result"]
    answers = None
    if result is not None:
        answers = {name: ComparedAnswers(**one) for name, one in sorted(result["answers"].items())}
    return UpgradeReport(
        row["projections"], row["began_at"], row["finished_at"], answers,
        result["old_times"] if result else {}, changes,
    )  # fmt: skip
