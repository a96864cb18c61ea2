"""Replaces a group's dead letters by those of its shadow.

A dead letter is wrong if the shadow has applied its record or judged it a resend. A wrong letter of
this group alone is deleted while it is open; every other wrong letter, such as one that somebody
has retried or dropped, is kept and no longer lists the group.
"""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from services.runtime.letters_about import ABOUT

Connection = psycopg.Connection[TupleRow]
_SAME = '(l.topic, l.partition, l."offset") = (d.topic, d.partition, d."offset")'
_FALSE: LiteralString = f"""
from hitotsu.dead_letter d join hitotsu.checkpoint c
    on c.grp = %(grp)s and c.topic = d.topic and c.partition = d.partition
where %(grp)s = any(d.grps) and not exists (select from {{shadow}}.letter l where {_SAME})
"""
_MISSING: LiteralString = f"""
from {{shadow}}.letter l where not exists (
    select from hitotsu.dead_letter d where {_SAME} and %(grp)s = any(d.grps))
"""
COUNT: LiteralString = f"select (select count(*) {_FALSE}), (select count(*) {_MISSING})"
WITHDRAW: LiteralString = f"""
delete from hitotsu.dead_letter where status = 'open' and grps = array[%(grp)s]
    and id in (select d.id {_FALSE})
"""
NOT_OURS: LiteralString = f"""
update hitotsu.dead_letter set grps = array_remove(grps, %(grp)s) where id in (select d.id {_FALSE})
"""
RENAME: LiteralString = f"""
update hitotsu.dead_letter d set stage = l.stage, error_class = l.error_class, reason = l.reason
from {{shadow}}.letter l where {_SAME} and d.grps = array[%(grp)s] and d.stage <> l.stage
"""
# Inserts the letters `l` for one `owner`; the caller adds the `from` clause that defines `l` and
# `e`. `e` has erased persons: of their letters neither value nor headers are stored.
INSERT: LiteralString = """
insert into hitotsu.dead_letter (topic, partition, "offset", stage, error_class, reason, event_id,
    record_key, record_value, headers, appended_at, grps, status, note, resolved_at)
select l.topic, l.partition, l."offset", l.stage, l.error_class, l.reason, l.event_id,
    l.record_key, case when e.subject is null then l.record_value end,
    case when e.subject is null then l.headers else '[]' end, l.appended_at, array[%(owner)s],
    case when e.subject is null then 'open' else 'dropped' end,
    case when e.subject is not null then 'the person was erased' end,
    case when e.subject is not null then now() end
"""
OR_ADD_OWNER: LiteralString = """
on conflict (topic, partition, "offset") do update
    set grps = (select array_agg(distinct grp) from unnest(dead_letter.grps || excluded.grps) grp)
"""
# the erased person, if any, that a letter `l` is about
ERASED: LiteralString = (
    "left join lateral (select subject from {schema}.erased_subject where "
    + ABOUT.replace("{subject}", "uuid_send(subject)")
    + " limit 1) e on true"
)
ADD: LiteralString = f"""{INSERT}
from (select l.* {_MISSING}) l
{ERASED.replace("{schema}", "{shadow}")}
{OR_ADD_OWNER}"""


def false_and_missing(connection: Connection, group: str, shadow: str) -> tuple[int, int]:
    """How many of the group's dead letters are wrong, and how many are missing."""
    row = _run(connection, COUNT, group, shadow).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def correct(connection: Connection, group: str, shadow: str) -> tuple[int, int]:
    """Makes the group's dead letters equal to the shadow's.

    Returns how many were deleted or no longer list the group, and how many were added or list it
    now.
    """
    withdrawn = _run(connection, WITHDRAW, group, shadow).rowcount
    withdrawn += _run(connection, NOT_OURS, group, shadow).rowcount
    _run(connection, RENAME, group, shadow)
    return withdrawn, _run(connection, ADD, group, shadow).rowcount


def _run(
    connection: Connection, statement: LiteralString, group: str, shadow: str
) -> psycopg.Cursor[Any]:
    composed = sql.SQL(statement).format(shadow=sql.Identifier(shadow))
    return connection.execute(composed, {"grp": group, "owner": group})
