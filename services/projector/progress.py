"""Decides, at the start of a projector, which projections have to be built, and records them.

Checkpoints belong to the group. A projection that is new in a group with checkpoints, or that has a
new version, table or column, contains less than the checkpoints say. It gets a row in
`hitotsu.projection_building`. A build folds it from offset 0, and deletes the row in the
transaction that swaps its tables in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from projections.core.fold import Group
from projections.core.projection import Projection, linked
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
# the positions at which the old tables stop: the new tables are compared with them there
RECORD_UPGRADE = """
insert into hitotsu.upgrade (grp, projections, positions)
select %(group)s, %(projections)s,
    jsonb_object_agg(topic || '-' || partition, next_offset)
from hitotsu.checkpoint where grp = %(group)s
on conflict (grp) where finished_at is null do update set projections = array(
    select distinct unnest(hitotsu.upgrade.projections || excluded.projections) order by 1)
"""
# A projection whose tables were moved from other projections inherits the lowest version of these.
# While one of these is being built it inherits none, so that its tables are built too.
INHERIT = """
insert into hitotsu.projection_version
select %(group)s, %(projection)s, min(version)
from hitotsu.projection_version where grp = %(group)s and projection = any(%(formerly)s)
    and not exists (select from hitotsu.projection_building
        where grp = %(group)s and projection = any(%(formerly)s))
having count(*) > 0
on conflict (grp, projection) do nothing
"""
# the tables of a projection that is no longer declared go stale: if declared again, it is built
FORGET_VERSION = "delete from hitotsu.projection_version where grp = %s and projection <> all(%s)"
FORGET_GENERATION = "delete from hitotsu.cache_generation"
# a projection without tables has nothing to build
FORGET_BUILDING = "delete from hitotsu.projection_building where grp = %s and projection <> all(%s)"


class VersionChanged(Exception):
    """A projection's tables, or those of its build, have a higher version than the code."""


def under_way(connection: Connection, group: str) -> dict[str, int]:
    """The projections of a group that are being built: version by name."""
    return _by_name(connection.execute(UNDER_WAY, [group]))


def prepare_projections(connection: Connection, group: Group) -> frozenset[str]:
    """Creates missing tables of the group's projections, and records which have to be built.

    Returns the names of those that are being built. The group's schema has to be on the search
    path. Raises VersionChanged and ColumnsDiffer.
    """
    for projection in group.projections:
        if projection.formerly:
            former = {"projection": projection.name, "formerly": list(projection.formerly)}
            connection.execute(INHERIT.encode(), {"group": group.name} | former)
    names = [projection.name for projection in group.projections]
    begun: set[str] = set()
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
            begun.add(name)
            log.info("projection_building", projection=name, version=version, reason=reason)
    begun |= _build_linked(connection, group, building)
    if replaced := sorted(begun & recorded.keys()):
        values = {"group": group.name, "projections": replaced}
        connection.execute(RECORD_UPGRADE, values)
    return frozenset(building)


def _build_linked(connection: Connection, group: Group, building: dict[str, int]) -> set[str]:
    """Records builds of the projections that derive rows from those being built, or from which
    those being built derive rows. Returns their names.
    """
    added = linked(group.projections, building) - building.keys()
    for name in sorted(added):
        version = building[name] = group.versions[name]
        connection.execute(RECORD_BUILDING, [group.name, name, version, "linked"])
        log.info("projection_building", projection=name, version=version, reason="linked")
    return added


def _by_name(cursor: psycopg.Cursor[tuple[Any, ...]]) -> dict[str, int]:
    return {str(name): int(version) for name, version in cursor.fetchall()}


def _refuse_older_code(projection: Projection, recorded: int | None, building: int | None) -> None:
    newest = max(recorded or 0, building or 0)
    if newest > projection.version:
        verb = "have" if building != newest else "are being built as"
        raise VersionChanged(
            f"the projection {projection.name} is declared as version {projection.version}, but"
            f" its tables {verb} version {newest}: start the newer code, or run"
            f" `hitotsu rebuild {projection.name}`"
        )


def _outdated(
    connection: Connection, tables: Iterable[StoredTable], recorded: int | None, version: int
) -> str | None:
    """Why the projection has to be built: "new", "version", "table" or "columns"; None if its
    tables are complete.

    Creates missing tables and columns, so that statements that name them are valid until the built
    tables are swapped in.
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
            if any(part.name not in table.later for part in lacking):
                reason = reason or "columns"
            else:  # rows in Redis lack the columns, so it is filled again
                connection.execute(FORGET_GENERATION)
        if reason is None:
            connection.execute(unless_there(ddl(table)).encode())
    return reason


def _create(connection: Connection, tables: Iterable[StoredTable], anew: bool) -> None:
    """Creates the tables of a group that has applied nothing yet.

    Drops and creates tables anew that lack a column, or all of them if `anew`.
    """
    for table in tables:
        columns = table_columns.stored_columns(connection, table)
        if columns and (anew or table_columns.missing(table, columns)):
            connection.execute(f"drop table {quoted(table.name)}".encode())
        elif columns:
            table_columns.check(connection, table, columns)
        connection.execute(unless_there(ddl(table)).encode())
