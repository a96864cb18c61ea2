"""Dead letters of single projections: events that the group applied and a projection refuses.

Their column `grps` lists `group/projection` instead of the group, because the group has counted the
event as applied. A build of a projection replaces the dead letters of that projection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from services.rebuild.dead_letters import ERASED, INSERT, OR_ADD_OWNER

Connection = psycopg.Connection[TupleRow]
TABLE = """
create table letter (
    topic text not null, partition int not null, "offset" bigint not null,
    projection text not null, stage text not null, error_class text not null,
    reason text not null, event_id uuid, record_key bytea, record_value bytea,
    headers jsonb not null, appended_at timestamptz not null,
    primary key (topic, partition, "offset", projection)
);
"""
NOTE = """
insert into letter values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
    to_timestamp(%s / 1000.0)) on conflict do nothing
"""
_LISTED_AGAIN = """
exists (select from {shadow}.letter l where l.projection = %(projection)s
    and (l.topic, l.partition, l."offset") = (d.topic, d.partition, d."offset"))
"""
WITHDRAW: LiteralString = f"""
delete from hitotsu.dead_letter d
where status = 'open' and grps = array[%(owner)s] and not {_LISTED_AGAIN}
"""
NOT_OURS: LiteralString = f"""
update hitotsu.dead_letter d set grps = array_remove(grps, %(owner)s)
where %(owner)s = any(grps) and grps <> array[%(owner)s] and not {_LISTED_AGAIN}
"""
ADD: LiteralString = f"""{INSERT}
from {{shadow}}.letter l {ERASED.replace("{schema}", "{live}")}
where l.projection = %(projection)s
{OR_ADD_OWNER}"""


def owner(group: str, projection: str) -> str:
    """The name of these dead letters' owner in `dead_letter.grps`: `group/projection`."""
    return f"{group}/{projection}"


def replace(
    connection: Connection, live: str, shadow: str, projections: Iterable[str]
) -> dict[str, int]:
    """Replaces these projections' dead letters by those of the shadow.

    A letter of one projection alone stays if somebody has retried or dropped it. Returns the number
    of dead letters in the shadow by projection; without projections that have none.
    """
    refused: dict[str, int] = {}
    names = {"shadow": sql.Identifier(shadow), "live": sql.Identifier(live)}
    for projection in projections:
        values: dict[str, Any] = {"owner": owner(live, projection), "projection": projection}
        for statement in (WITHDRAW, NOT_OURS):
            connection.execute(sql.SQL(statement).format(**names), values)
        cursor = connection.execute(sql.SQL(ADD).format(**names), values)
        if cursor.rowcount:
            refused[projection] = cursor.rowcount
    return refused
