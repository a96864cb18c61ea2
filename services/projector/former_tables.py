"""Drops tables that an older release filled and that nothing reads any more.

A projection declares them as `former_tables`. They are needed until its own tables are complete:
the list of what the upgrade changed is computed from them. The event ledgers of an older release
also get the documents of its sales from them (`document_index`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from projections.core.projection import Projection
from services.runtime.logging import log

Connection = psycopg.Connection[Any]
PRESENT = """
select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind = 'r' and c.relname = any(%s)
"""
# the ledger of any group that has not got the documents of old sales yet
LEDGER_WITHOUT_DOCUMENTS = """
select exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relname = 'ledger' and c.relkind = 'r'
        and to_regclass(format('%I.ledger_document', n.nspname)) is null
)
"""
# how long to wait for a session that reads a table, such as a dump; the next start tries again
LOCK_TIMEOUT = "set local lock_timeout = '1s'"


def drop_former_tables(
    connection: Connection, group: str, projections: Iterable[Projection]
) -> list[str]:
    """Drops the former tables of these projections, whose own tables have to be complete.

    Returns their names. Drops nothing while the ledger of a group lacks documents. Has to be called
    in a transaction; raises LockNotAvailable if the lock timeout passes.
    """
    former = [name for projection in projections for name in projection.former_tables]
    rows = connection.execute(PRESENT, [group, former]).fetchall() if former else []
    if not rows:
        return []
    ((needed,),) = connection.execute(LEDGER_WITHOUT_DOCUMENTS).fetchall()
    if needed:
        return []
    names = sorted(name for (name,) in rows)
    for name in names:
        drop = sql.SQL("drop table if exists {}").format(sql.Identifier(group, name))
        connection.execute(drop)
    log.info("former_tables_dropped", group=group, tables=names)
    return names


def drop_former_tables_unless_read(
    connection: Connection, group: str, projections: Iterable[Projection]
) -> list[str]:
    """Calls `drop_former_tables` in a transaction of its own.

    Drops nothing, and returns an empty list, if another session uses one of the tables for longer
    than the lock timeout.
    """
    try:
        with connection.transaction():
            connection.execute(LOCK_TIMEOUT)
            return drop_former_tables(connection, group, projections)
    except psycopg.errors.LockNotAvailable:
        log.warning("former_tables_in_use", group=group)
        return []
