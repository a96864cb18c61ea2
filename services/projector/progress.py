"""Which projections have read as far as their group, and which are being built?

Checkpoints belong to the group. A projection that is new while the group has history, or that has a
new version, table or column, holds less than the checkpoints say. It is recorded in
`hitotsu.projection_building`. A build folds it from offset 0 and removes the record in the
transaction that swaps its tables in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from projections.core.fold import Group
from projections.core.projection import Projection
from projections.core.sql import ddl, quoted
from projections.core.tables import StoredTable
from services.projector import table_columns
from services.runtime.db import unless_there
from services.runtime.logging import log

Connection = psycopg.Connection[tuple[Any, ...]]
HISTORY = "select exists (select from hitotsu.checkpoint where grp = %s and next_offset > 0)"
VERSIONS = "select projection, version from hitotsu.projection_version where grp = %s"
UNDER_WAY = "select projection, version from hitotsu.projection_building where grp = %s"
RECORD_VERSION = """
insert into hitotsu.projection_version values (%s, %s, %s)
on conflict (grp, projection) do update set version = excluded.version
"""
RECORD_BUILDING = """
insert into hitotsu.projection_building (grp, projection, version, reason) values (%s, %s, %s, %s)
on conflict (grp, projection) do update
    set version = excluded.version, reason = excluded.reason, read = null, total = null,
        began_at = now()
"""
# Tables that were moved here from other projections hold what those had read. While a former one is
# being built, nothing is inherited: the moved tables are built, too.
INHERIT = """
insert into hitotsu.projection_version
select %(group)s, %(projection)s, min(version)
from hitotsu.projection_version where grp = %(group)s and projection = any(%(formerly)s)
    and not exists (select from hitotsu.projection_building
        where grp = %(group)s and projection = any(%(formerly)s))
having count(*) > 0
on conflict (grp, projection) do nothing
"""
# of a projection that is no longer declared nobody folds the events: its tables go stale
FORGET_VERSION = "delete from hitotsu.projection_version where grp = %s and projection <> all(%s)"
# and what has no tables is not built
FORGET_BUILDING = "delete from hitotsu.projection_building where grp = %s and projection <> all(%s)"


class VersionChanged(Exception):
    """A projection's tables, or the tables of its build, are newer than the code."""


def under_way(connection: Connection, group: str) -> dict[str, int]:
    """The projections of a group that are being built: name to version."""
    return _by_name(connection.execute(UNDER_WAY, [group]))


def prepare_projections(connection: Connection, group: Group) -> frozenset[str]:
    """Creates each projection's tables and compares their columns, on the group's search_path.

    Returns the names of those that are being built. Raises VersionChanged and ColumnsDiffer.
    """
    for projection in group.projections:
        if projection.formerly:
            former = {"projection": projection.name, "formerly": list(projection.formerly)}
            connection.execute(INHERIT.encode(), {"group": group.name} | former)
    names = [projection.name for projection in group.projections]
    stored = [projection.name for projection in group.projections if projection.tables]
    connection.execute(FORGET_VERSION, [group.name, names])
    connection.execute(FORGET_BUILDING, [group.name, stored])
    recorded = _by_name(connection.execute(VERSIONS, [group.name]))
    building = under_way(connection, group.name)
    ((history,),) = connection.execute(HISTORY, [group.name]).fetchall()
    for projection in group.projections:
        name, version = projection.name, projection.version
        _refuse_older_code(projection, recorded.get(name), building.get(name))
        if building.get(name) == version:
            continue
        tables = [table for table in group.tables if table.projection == name]
        if not history or not tables:
            _create(connection, tables, anew=recorded.get(name) not in (None, version))
            connection.execute(RECORD_VERSION, [group.name, name, version])
            continue
        reason = _outdated(connection, tables, recorded.get(name), version)
        if name in building:
            reason = reason or "version"
        if reason:
            connection.execute(RECORD_BUILDING, [group.name, name, version, reason])
            building[name] = version
            log.info("projection_building", projection=name, version=version, reason=reason)
    return frozenset(building)


def _by_name(cursor: psycopg.Cursor[tuple[Any, ...]]) -> dict[str, int]:
    return {str(name): int(version) for name, version in cursor.fetchall()}


def _refuse_older_code(projection: Projection, recorded: int | None, building: int | None) -> None:
    newest = max(recorded or 0, building or 0)
    if newest > projection.version:
        verb = "hold" if building != newest else "are being built as"
        raise VersionChanged(
            f"{projection.name} is declared as version {projection.version}, its tables {verb}"
            f" version {newest}: start the newer code, or run `hitotsu rebuild {projection.name}`"
        )


def _outdated(
    connection: Connection, tables: Iterable[StoredTable], recorded: int | None, version: int
) -> str | None:
    """Why the projection has to be built; None when its tables are complete.

    Missing tables and columns are created, so that statements which name them are valid until the
    built tables are swapped in.
    """
    reason = None
    if recorded is None:
        reason = "new"
    elif recorded != version:
        reason = "version"
    for table in tables:
        columns = table_columns.stored_columns(connection, table)
        if not columns:
            connection.execute(unless_there(ddl(table)).encode())
            reason = reason or "table"
            continue
        if recorded == version:
            table_columns.check(connection, table, columns)
        if lacking := table_columns.missing(table, columns):
            table_columns.add(connection, table, lacking)
            reason = reason or "columns"
        if reason is None:
            connection.execute(unless_there(ddl(table)).encode())
    return reason


def _create(connection: Connection, tables: Iterable[StoredTable], anew: bool) -> None:
    """Creates the tables of a group without history; empty tables of another shape are
    recreated.
    """
    for table in tables:
        columns = table_columns.stored_columns(connection, table)
        if columns and (anew or table_columns.missing(table, columns)):
            connection.execute(f"drop table {quoted(table.name)}".encode())
        elif columns:
            table_columns.check(connection, table, columns)
        connection.execute(unless_there(ddl(table)).encode())
