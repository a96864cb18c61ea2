"""Lists the answers that an upgrade changes, before the old tables are replaced.

The old tables do not change from the start of the upgrade; their positions are recorded then. The
new tables are compared with them when they have been folded exactly up to these positions. The list
is stored in the shadow, and copied to `hitotsu.upgrade_change` in the transaction that swaps the
tables.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow, dict_row

from projections.core.comparison import TIME_PUT_RIGHT, ChangedAnswer, Comparison
from projections.core.projection import Projection
from projections.core.sql import quoted
from services.rebuild.swap import Swap
from services.runtime.logging import log
from services.verify.log import Place

LISTED_MAX = 10_000
"""Changed answers of one kind that are kept; all are counted."""
DOCUMENTS_MAX = 20
"""Responsible documents that are kept of one changed answer; all are counted."""
ROWS = 1_000
TABLES = """
create table changed_answer (
    answer text collate "C" not null, number int not null, key jsonb not null, before jsonb,
    after jsonb, documents jsonb not null, documents_total bigint not null,
    primary key (answer, number)
);
create table compared_answer (answer text primary key, result jsonb not null);
-- events by projection: its rows of them keep the times that wrong clocks told
create table old_times (projection text primary key, events bigint not null);
"""
COUNT_OLD_TIMES = """
insert into old_times values (%s, %s)
on conflict (projection) do update set events = old_times.events + excluded.events
"""
UNDER_WAY = """
select u.id, u.positions, c.topic, c.partition, c.documents_from
from hitotsu.upgrade u join hitotsu.checkpoint c on c.grp = u.grp
where u.grp = %s and u.finished_at is null
"""
TABLE_THERE = "select to_regclass(%s) is not null"
ADD = "insert into changed_answer values (%s, %s, %s, %s, %s, %s, %s)"
KEEP_CHANGES = """
insert into hitotsu.upgrade_change
select {id}, answer, number, key, before, after, documents, documents_total
from {shadow}.changed_answer
"""
FINISH = """
update hitotsu.upgrade set finished_at = clock_timestamp(), result = jsonb_build_object(
    'answers', (select coalesce(jsonb_object_agg(answer, result), '{}')
        from {shadow}.compared_answer),
    'old_times', (select coalesce(jsonb_object_agg(projection, events), '{}')
        from {shadow}.old_times))
where id = {id}
"""
Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An upgrade under way: a row of `hitotsu.upgrade`.

    `positions`: by partition, the offset up to which the old tables have applied the log.
    `old_until`: by partition, the offset up to which an older release folded records without
    correcting the times of wrong clocks.
    """

    id: int
    positions: Mapping[Place, int]
    old_until: Mapping[Place, int]


def upgrade_under_way(connection: Connection, group: str) -> Upgrade | None:
    """The group's upgrade whose tables are not swapped in yet, if there is one."""
    rows = connection.execute(UNDER_WAY, [group]).fetchall()
    if not rows:
        return None
    positions: dict[Place, int] = {}
    old_until: dict[Place, int] = {}
    for _, recorded, topic, partition, documents_from in rows:
        end = recorded.get(f"{topic}-{partition}")
        if end is not None:
            positions[topic, partition] = end
            # the release that came to know documents also put clocks right, from here on
            if documents_from == end:
                old_until[topic, partition] = end
    return Upgrade(rows[0][0], positions, old_until)


def compared_beside(projections: Iterable[Projection], built: Iterable[str]) -> set[str]:
    """The projections that are not built and whose answers are nevertheless compared with the log.

    Empty if no answer of the projections that are `built` is compared.
    """
    names, listed = set(built), list(projections)
    if not any(one.comparisons for one in listed if one.name in names):
        return set()
    unbuilt = (one for one in listed if any(each.unbuilt for each in one.comparisons))
    return {one.name for one in unbuilt} - names


class FormerAnswers:
    """Compares the answers of the tables of `live` with those of the schema `shadow`.

    `connection`: that of the shadow. `built`: the projections whose tables are to be replaced.
    """

    def __init__(
        self, connection: Connection, live: str, shadow: str, built: Iterable[str]
    ) -> None:
        self._connection, self._live, self._shadow = connection, live, shadow
        self._built = set(built)

    def compare(self, comparisons: Iterable[Comparison]) -> None:
        """Compares those answers that were not compared yet and whose old tables exist, each in one
        transaction.

        An error is stored as the answer's result; only one of the connection is raised.
        """
        rows = self._connection.execute("select answer from compared_answer").fetchall()
        done = {answer for (answer,) in rows}
        for comparison in comparisons:
            if comparison.name not in done and self._there(comparison):
                try:
                    with self._connection.transaction():
                        self._keep(comparison, self._compare(comparison))
                except psycopg.OperationalError:
                    raise  # the connection was lost: the build is run again
                except Exception as error:  # a list that cannot be made must not stop an upgrade
                    failed = f"{type(error).__name__}: {error}".splitlines()[0]
                    log.error("answers_not_compared", answer=comparison.name, error=failed)
                    self._keep(comparison, {"failed": failed})

    def _there(self, comparison: Comparison) -> bool:
        names = (f"{quoted(self._live)}.{quoted(table)}" for table in comparison.former)
        return all(self._connection.execute(TABLE_THERE, [name]).fetchall()[0][0] for name in names)

    def _keep(self, comparison: Comparison, result: dict[str, Any]) -> None:
        result |= {
            "projection": comparison.projection, "replaced": comparison.projection in self._built
        }  # fmt: skip
        values = [comparison.name, json.dumps(result)]
        self._connection.execute("insert into compared_answer values (%s, %s)", values)

    def _compare(self, comparison: Comparison) -> dict[str, Any]:
        ((compared,),) = self._connection.execute(self._sql(comparison.compared)).fetchall()
        changed, only_times, reasons = 0, 0, Counter[str]()
        adding: list[list[Any]] = []
        with self._connection.cursor("former_answers", row_factory=dict_row) as cursor:
            cursor.itersize = ROWS
            for row in cursor.execute(self._sql(comparison.candidates)):
                for answer in comparison.changes(row):
                    changed += 1
                    because = {one.reason for one in answer.documents} or {"unknown"}
                    reasons.update(because)
                    only_times += because == {TIME_PUT_RIGHT}
                    if changed <= LISTED_MAX:
                        adding.append(_values(comparison.name, changed, answer))
                if len(adding) >= ROWS:
                    self._add(adding)
                    adding = []
        self._add(adding)
        result = {
            "compared": compared, "changed": changed, "listed": min(changed, LISTED_MAX),
            "only_times": only_times, "reasons": dict(sorted(reasons.items())),
        }  # fmt: skip
        log.info("answers_compared", answer=comparison.name, **result)
        if comparison.unbuilt and changed > only_times:
            log.error("upgrade_contradicts_the_log", answer=comparison.name, answers=changed)
        return result

    def _add(self, rows: list[list[Any]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(ADD, rows)

    def _sql(self, text: str) -> bytes:
        named = text.replace("{live}", quoted(self._live))
        return named.replace("{shadow}", quoted(self._shadow)).encode()


def finish(swap: Swap, upgrade: Upgrade, shadow: str) -> None:
    """Stores list and counts in `hitotsu.upgrade_change` and `hitotsu.upgrade`, in the transaction
    that swaps the tables in.
    """
    for statement in (KEEP_CHANGES, FINISH):
        named = statement.replace("{id}", str(upgrade.id)).replace("{shadow}", quoted(shadow))
        swap.within(named)


def _values(name: str, number: int, answer: ChangedAnswer) -> list[Any]:
    documents = [asdict(one) for one in answer.documents[:DOCUMENTS_MAX]]
    before, after = (
        None if said is None else json.dumps(said) for said in (answer.before, answer.after)
    )
    return [
        name, number, json.dumps(dict(answer.key)), before, after, json.dumps(documents),
        answer.documents_total,
    ]  # fmt: skip
