"""Which nodes can a change of grouping reach, and what are their groups now?

Two transactions that connect the same groups must see each other, so regrouping takes its turn
by a lock that is held to the commit; new rules and what comes in meanwhile see each other by it
too. It is the last thing but shared rows in a transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from threading import Event
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.rows import TupleRow

from projections.core.sql import quoted
from projections.core.tables import ROLES, Active, Grouping, RowKey
from services.projector.regroup import decided_on_everybody, differing
from services.runtime.arrays import Array, array

Connection = psycopg.Connection[TupleRow]
Rows = dict[RowKey, list[Any]]
# to decide on a million nodes takes longer than a transaction may usually pause; so it may on a
# busy machine for a component of some thousands, and a pause that is cut begins all over again
LARGE = 1_000
PATIENT = (
    "set local statement_timeout = '10min'; set local idle_in_transaction_session_timeout = '10min'"
)

# a value is reached like a node, so that one on many nodes is looked up once; whoever is touched
# is in reach already: left out, the limit cannot hide those who are not. A value that too many
# others have connected nobody before either: it is reported, and leads no further
REACH = """
with recursive reach(id, kind, crowded) as (
    select node, '' collate "C", false from unnest(%(nodes)s::uuid[]) as start(node)
    union
    select mate.profile_id, '', false from {groups} own join {groups} mate using (member_id)
        where own.profile_id = any(%(nodes)s::uuid[])
    union
    select near.id, near.kind, near.crowded from reach, lateral (
        select own.value_index as id, own.kind, false as crowded from {identifiers} own
        where reach.kind = '' and own.profile_id = reach.id and own.kind = any(%(kinds)s::text[])
            and own.kind || ' ' || own.value_index::text <> all(%(blocked)s::text[])
        union all
        select unnest(case when many > most then array[reach.id] else profiles end),
            case when many > most then reach.kind else '' end, many > most
        from (
            select count(*) as many, array_agg(profile_id) as profiles from (
                select other.profile_id from {identifiers} other
                where reach.kind <> '' and not reach.crowded
                    and other.kind = reach.kind and other.value_index = reach.id
                    and other.profile_id <> all(%(nodes)s::uuid[])
                limit (%(limits)s::int[])[array_position(%(kinds)s::text[], reach.kind)] + 1
            ) other
        ) shared,
        lateral (
            select (%(limits)s::int[])[array_position(%(kinds)s::text[], reach.kind)] as most
        ) its
        union all
        select other_profile_id, '', false from {links}
        where reach.kind = '' and profile_id = reach.id and verdict = 'linked'
        union all
        select profile_id, '', false from {links}
        where reach.kind = '' and other_profile_id = reach.id and verdict = 'linked'
        union all
        select other_profile_id, '', false from {proposals}
        where reach.kind = '' and profile_id = reach.id and verdict = 'linked'
            and rule_version = %(version)s
        union all
        select profile_id, '', false from {proposals}
        where reach.kind = '' and other_profile_id = reach.id and verdict = 'linked'
            and rule_version = %(version)s
    ) near
)
select id, kind from reach where kind = '' or crowded
"""
SHARING = """
select distinct unnest(shared.profiles) from (
    select distinct kind, value_index from {identifiers}
    where profile_id = any(%(nodes)s::uuid[]) and kind = any(%(kinds)s::text[])
) own, lateral (
    select count(*) as many, array_agg(profile_id) as profiles from (
        select other.profile_id from {identifiers} other
        where other.kind = own.kind and other.value_index = own.value_index
            and other.profile_id <> all(%(nodes)s::uuid[])
        limit (%(limits)s::int[])[array_position(%(kinds)s::text[], own.kind)] + 1
    ) other
) shared
where many <= (%(limits)s::int[])[array_position(%(kinds)s::text[], own.kind)]
"""
NEWEST = """
select {columns} from {rules} order by valid_from desc, version collate "C" desc limit 1
"""


def sharing(connection: Connection, table: Grouping, leaving: list[bytes]) -> set[bytes]:
    """Who shares a value with nodes that are about to lose theirs: it may connect from now on."""
    if not leaving:
        return set()
    asked = _asked(_in_force(connection, table)[0], leaving)
    statement = SHARING.format(identifiers=quoted(table.identifiers.name))
    # not prepared: only a plan of its own looks the nodes up by their hashes
    return {row[0] for row in _bytes(connection).execute(statement.encode(), asked, prepare=False)}


def regroup(
    connection: Connection,
    table: Grouping,
    touched: set[bytes],
    rules: Collection[RowKey] = (),
    busy: Event | None = None,
) -> Generator[Rows]:
    """Rows of every node whose group is another after a change of `touched`, or of these rules.

    In one part, but in many where rules are new: each is to be stored before the next is taken.
    `busy` is set while others decide on everybody, and left set where that is done here, or where
    so many are decided on that it may take long.
    """
    if not (touched or rules):
        return
    busy = busy or Event()
    busy.set()
    connection.execute(
        "select pg_advisory_xact_lock(7, hashtext(current_schema() || '.' || %s))", [table.name]
    )
    active, newest = _in_force(connection, table)
    if newest and newest[0][:2] in {key[-2:] for key in rules}:
        connection.execute(PATIENT)
        with closing(decided_on_everybody(connection, table, newest)) as parts:
            for changed in parts:
                yield {(node,): list(values) for node, values in changed}
        return
    busy.clear()
    if not touched:
        return
    names = {role: quoted(part.name) for role, part in table.parts.items()}
    statement = REACH.format(groups=quoted(table.name), **names)
    asked = _asked(active, touched)
    found = _bytes(connection).execute(statement.encode(), asked, prepare=False).fetchall()
    reached = {node for node, kind in found if not kind}
    if len(reached) > LARGE:
        busy.set()
        connection.execute(PATIENT)
    nodes = array("uuid", reached)
    crowded = {(kind, value) for value, kind in found if kind}
    known = {**_known(connection, table, nodes), "rules": newest, "crowded": crowded}
    rows = _changed(connection, table, known, nodes)
    # a pair that is not linked leads to nodes of whom not everything is known here
    yield {key: row for key, row in rows.items() if key[0] in reached}


def _in_force(connection: Connection, table: Grouping) -> tuple[Active, list[TupleRow]]:
    """The rules in force, and their row, if there is one."""
    columns = ", ".join(quoted(name) for name in ROLES["rules"])
    statement = NEWEST.format(columns=columns, rules=quoted(table.rules.name))
    rows = connection.execute(statement.encode()).fetchall()
    return table.active(rows), rows


def _asked(active: Active, nodes: Iterable[bytes]) -> dict[str, object]:
    blocked = [f"{kind} {_text(value)}" for kind, value in active.blocked]
    return {
        "nodes": array("uuid", nodes),
        "kinds": array("text", active.limits),
        "limits": array("int", active.limits.values()),
        "blocked": array("text", blocked),
        "version": active.version,
    }


def _text(value: bytes) -> str:
    digits = value.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _known(connection: Connection, table: Grouping, nodes: Array) -> dict[str, list[TupleRow]]:
    """Everything known of these nodes but the rules, by its role."""
    return {
        role: list(_selected(connection, table.parts[role].name, columns, nodes))
        for role, columns in ROLES.items()
        if role != "rules"
    }


def _changed(
    connection: Connection, table: Grouping, known: Mapping[str, object], nodes: Array
) -> Rows:
    """What is decided of these nodes, but for rows that hold it already."""
    decided = table.decide(**known)
    columns = (*table.keys, *table.values)
    held = {row[0]: row[1:] for row in _selected(connection, table.name, columns, nodes)}
    return {(node,): list(row) for node, row in differing(decided, held)}


def _selected(
    connection: Connection, name: str, columns: Iterable[str], nodes: Array
) -> Iterator[TupleRow]:
    """Rows of some nodes."""
    listed = ", ".join(quoted(column) for column in columns)
    statement = f"select {listed} from {quoted(name)} where profile_id = any(%s::uuid[])"
    yield from _bytes(connection).execute(statement.encode(), [nodes])


def _bytes(connection: Connection) -> psycopg.Cursor[TupleRow]:
    """A cursor that gives ids as their 16 bytes."""
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader("uuid", _UuidBytes)
    return cursor


class _UuidBytes(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)
