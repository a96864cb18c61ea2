"""Which tables does the engine itself need?

`hitotsu` holds what groups share: checkpoints, dead letters, the Redis repair table. Each group's
own schema holds its event ledger and its projections' tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from projections.core.fold import Group
from projections.core.sql import LEDGER
from schemas.topics import TOPICS
from services.projector.progress import VersionChanged as VersionChanged
from services.projector.progress import prepare_projections
from services.projector.table_columns import ColumnsDiffer as ColumnsDiffer
from services.runtime.db import unless_there
from services.state import decisions as decisions

ENGINE = """
create schema if not exists hitotsu;
create table if not exists hitotsu.topic (
    no smallint generated always as identity primary key,
    name text not null unique
);
create table if not exists hitotsu.checkpoint (
    grp text not null,
    topic text not null,
    partition int not null,
    next_offset bigint not null default 0,
    applied bigint not null default 0,
    duplicate bigint not null default 0,
    conflict bigint not null default 0,
    dead_letter bigint not null default 0,
    owner uuid,
    epoch bigint not null default 0,
    updated_at timestamptz not null default now(),
    primary key (grp, topic, partition),
    check (applied + duplicate + conflict + dead_letter = next_offset)
);
create table if not exists hitotsu.dead_letter (
    id bigint generated always as identity primary key,
    topic text not null,
    partition int not null,
    "offset" bigint not null,
    stage text not null,
    error_class text not null,
    reason text not null,
    event_id uuid,
    record_key bytea,
    record_value bytea,
    headers jsonb not null default '[]',
    appended_at timestamptz not null,
    grps text[] not null,
    status text not null default 'open' check (status in ('open', 'retried', 'dropped')),
    note text,
    seen_at timestamptz not null default now(),
    resolved_at timestamptz,
    relayed boolean not null default false,
    unique (topic, partition, "offset")
);
create index if not exists dead_letter_by_event on hitotsu.dead_letter (event_id);
create index if not exists dead_letter_to_relay on hitotsu.dead_letter (id) where not relayed;
create table if not exists hitotsu.redis_pending (
    id bigint generated always as identity primary key,
    grp text not null,
    owner uuid not null,
    partitions text[] not null,
    views bytea not null,
    created_at timestamptz not null default now()
);
create table if not exists hitotsu.cache_generation (
    grp text primary key,
    generation uuid not null,
    server text
);
do $$ begin
    if not exists (select from pg_attribute where attname = 'server'
            and attrelid = 'hitotsu.cache_generation'::regclass) then
        alter table hitotsu.cache_generation add column server text;
    end if;
end $$;
create table if not exists hitotsu.projection_version (
    grp text not null,
    projection text not null,
    version int not null,
    primary key (grp, projection)
);
"""
# projections whose tables are folded from offset 0 beside the live ones; `read` and `total` count
# records, null until the first were folded
PROJECTION_BUILDING = """
create table if not exists hitotsu.projection_building (
    grp text not null,
    projection text not null,
    version int not null,
    reason text not null,
    read bigint,
    total bigint,
    began_at timestamptz not null default now(),
    primary key (grp, projection)
);
"""
# written and deleted within a second: compressing it would cost more than it saves
UNCOMPRESSED = """
do $$ begin
    if exists (select from pg_attribute where attrelid = 'hitotsu.redis_pending'::regclass
            and attname = 'views' and attstorage <> 'e') then
        alter table hitotsu.redis_pending alter column views set storage external;
    end if;
end $$
"""
# for whoever creates tables, whichever process it is; of the session
LOCK = "select pg_advisory_lock(hashtext('hitotsu.prepare'))"


def prepare(dsn: str, group: Group) -> frozenset[str]:
    """Creates what is missing. Safe to run from several processes at once, and again.

    Returns the names of the projections that are being built: their tables do not hold what the
    group has read, and the live projector must not fold them. Raises VersionChanged when a
    projection's tables are newer than the code, ColumnsDiffer when a table has other columns than
    its declaration. What all groups share is committed by then: a rebuild writes to it.
    """
    with _locked(dsn) as connection:
        _prepare_shared(connection)
        with connection.transaction():
            schema = sql.Identifier(group.name)
            connection.execute(sql.SQL("create schema if not exists {}").format(schema))
            connection.execute(sql.SQL("set local search_path = {}, hitotsu").format(schema))
            connection.execute(LEDGER)
            return prepare_projections(connection, group)


def prepare_shared(dsn: str) -> None:
    """Creates what is missing of the tables that all groups share: the engine's, the decisions'."""
    with _locked(dsn) as connection:
        _prepare_shared(connection)


@contextmanager
def _locked(dsn: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        # two processes that start at once would otherwise race for the same catalogue rows
        connection.execute(LOCK)
        yield connection
        connection.execute("select pg_advisory_unlock_all()")


def _prepare_shared(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with connection.transaction():
        connection.execute(unless_there(ENGINE).encode())
        connection.execute(unless_there(PROJECTION_BUILDING).encode())
        connection.execute(UNCOMPRESSED)
        decisions.prepare(connection)
        for name in TOPICS:
            connection.execute(
                "insert into hitotsu.topic (name) values (%s) on conflict do nothing", [name]
            )


def topic_numbers(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, int]:
    """The small numbers by which ledgers name topics."""
    rows = connection.execute("select name, no from hitotsu.topic").fetchall()
    return {str(name): int(str(no)) for name, no in rows}
