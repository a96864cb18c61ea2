"""Which nodes can a change of grouping reach, and what are their groups now?

Two transactions that connect the same groups must see each other, so regrouping takes its turn
by a lock that is held to the commit. It is the last thing but shared rows in a transaction.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import TupleRow, dict_row

from projections.core.sql import quoted
from projections.core.tables import Grouping
from services.runtime.arrays import Array, array

Connection = psycopg.Connection[TupleRow]

# a value is reached like a node, so that one on many nodes is looked up once; whoever is touched
# is in reach already: left out, the limit cannot hide those who are not
REACH = """
with recursive reach(id, kind) as (
    select node, '' collate "C" from unnest(%(nodes)s::uuid[]) as start(node)
    union
    select mate.profile_id, '' from {groups} own join {groups} mate using (member_id)
        where own.profile_id = any(%(nodes)s::uuid[])
    union
    select near.id, near.kind from reach, lateral (
        select own.value_index as id, own.kind from {identifiers} own
        where reach.kind = '' and own.profile_id = reach.id and own.kind = any(%(kinds)s)
        union all
        select shared.profile_id, '' from (
            select other.profile_id from {identifiers} other
            where reach.kind <> '' and other.kind = reach.kind and other.value_index = reach.id
                and other.profile_id <> all(%(nodes)s::uuid[]) limit %(limit)s
        ) shared
        union all
        select other_profile_id, '' from {links} where reach.kind = '' and profile_id = reach.id
        union all
        select profile_id, '' from {links} where reach.kind = '' and other_profile_id = reach.id
    ) near
)
select id from reach where kind = ''
"""
SHARING = """
select distinct shared.profile_id from (
    select distinct kind, value_index from {identifiers}
    where profile_id = any(%(nodes)s::uuid[]) and kind = any(%(kinds)s)
) own, lateral (
    select other.profile_id from {identifiers} other
    where other.kind = own.kind and other.value_index = own.value_index
        and other.profile_id <> all(%(nodes)s::uuid[]) limit %(limit)s
) shared
"""


def sharing(connection: Connection, table: Grouping, leaving: list[bytes]) -> set[bytes]:
    """Who shares a value with nodes that are about to lose theirs: it may connect from now on."""
    if not leaving:
        return set()
    found = connection.execute(
        SHARING.format(identifiers=quoted(table.identifiers.name)).encode(),
        {
            "nodes": array("uuid", leaving),
            "kinds": list(table.kinds),
            "limit": table.limit + 1,
        },
        prepare=False,  # only a plan of its own looks the nodes up by their hashes
    ).fetchall()
    return {row[0].bytes for row in found}


def regroup(
    connection: Connection, table: Grouping, touched: set[bytes]
) -> dict[tuple[Any, ...], list[Any]]:
    """Rows of every node whose group the change of `touched` may have moved."""
    if not touched:
        return {}
    connection.execute(
        "select pg_advisory_xact_lock(7, hashtext(current_schema() || '.' || %s))", [table.name]
    )
    names = {
        "groups": quoted(table.name),
        "identifiers": quoted(table.identifiers.name),
        "links": quoted(table.links.name),
    }
    found = connection.execute(
        REACH.format(**names).encode(),
        {
            "nodes": array("uuid", touched),
            "kinds": list(table.kinds),
            "limit": table.limit + 1,
        },
        prepare=False,  # only a plan of its own looks the nodes up by their hashes
    ).fetchall()
    nodes = array("uuid", [row[0].bytes for row in found])
    states = _rows(
        connection,
        f"select profile_id, registered_at from {quoted(table.nodes.name)}"
        " where profile_id = any(%s)",
        nodes,
    )
    identifiers = _rows(
        connection,
        f"select profile_id, kind, value_index, verified from {names['identifiers']}"
        " where profile_id = any(%s)",
        nodes,
    )
    links = _rows(
        connection,
        f"select profile_id, other_profile_id, verdict from {names['links']}"
        " where profile_id = any(%s)",
        nodes,
    )
    groups = table.decide({row["profile_id"]: row for row in states}, identifiers, links)
    return {(node,): [one[name] for name in table.values] for node, one in groups.items()}


def _rows(connection: Connection, statement: str, nodes: Array) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statement.replace("any(%s)", "any(%s::uuid[])").encode(), [nodes])
        return [
            {name: getattr(value, "bytes", value) for name, value in row.items()} for row in cursor
        ]
