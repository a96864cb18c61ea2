"""What do decisions keep? Not derivable from the log, so it belongs in a backup.

`answer` holds what was said to each key, a "no" too; `outbox` the facts that follow and are not
in Kafka yet; holds are rows of the service that decides about them.
"""

from __future__ import annotations

import psycopg

from services.runtime.db import unless_there

ANSWERS = """
create table if not exists hitotsu.answer (
    client text not null,
    key text not null,
    body_hash bytea not null,
    status smallint not null default 0,
    body text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    primary key (client, key)
);
-- by age, for trimming; a range of pages costs a decision nothing
create index if not exists answer_by_age on hitotsu.answer using brin (created_at);
create table if not exists hitotsu.outbox (
    id bigint generated always as identity primary key,
    topic text not null,
    record_key bytea not null,
    record_value bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz
);
-- headers were stored once; they follow from the value
do $$ begin
    if exists (select from pg_attribute where attrelid = 'hitotsu.outbox'::regclass
            and attname = 'headers' and not attisdropped) then
        alter table hitotsu.outbox drop column headers;
    end if;
end $$;
create index if not exists outbox_to_send on hitotsu.outbox (id) where sent_at is null;
"""


def added(table: str, *columns: str) -> str:
    """Gives a table of an older release its new columns ("name type"), where the last is missing.

    An `alter table` waits for everybody's locks, so it is run where it is needed only.
    """
    missed = columns[-1].split()[0]
    listed = ", ".join(f"add column {column}" for column in columns)
    return f"""do $$ begin
    if not exists (select from pg_attribute where attrelid = 'hitotsu.{table}'::regclass
            and attname = '{missed}') then
        alter table hitotsu.{table} {listed};
    end if;
end $$;"""


STOCK_APPLIED = added(
    "stock_hold", "applied_version bigint", "applied_partition int", "applied_offset bigint"
)
STOCK_POSITION = added("stock_hold", "position jsonb")
POINTS_APPLIED = added(
    "points_hold", "applied_event uuid", "applied_partition int", "applied_offset bigint"
)


# the location "" is none yet; `served_by` names the one that a committed hold counts at
# a hold that was resolved stays as history; the index holds what still promises something
# `applied_*`: of an applied hold, the cell's row version with its fact in, and the partition and
# `next_offset` of the batch that applied it; readers of an older row count the hold all the same
STOCK_HOLDS = f"""
create table if not exists hitotsu.stock_hold (
    id uuid not null,
    sku text collate "C" not null,
    location_id text collate "C" not null,
    quantity bigint not null check (quantity > 0),
    channel text not null,
    client text not null,
    state text not null default 'open'
        check (state in ('open', 'committed', 'applied', 'released', 'expired')),
    order_id uuid,
    served_by text collate "C",
    expires_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    resolved_at timestamptz,
    applied_version bigint,
    applied_partition int,
    applied_offset bigint,
    primary key (id, sku, location_id)
);
{STOCK_APPLIED}
create index if not exists stock_hold_applied
    on hitotsu.stock_hold (applied_partition, applied_offset) where state = 'applied';
-- where the stock stood that was looked at, in the first line of each item and location of a batch
{STOCK_POSITION}
create index if not exists stock_hold_promised
    on hitotsu.stock_hold (sku, location_id) where state in ('open', 'committed');
create index if not exists stock_hold_by_age on hitotsu.stock_hold using brin (created_at);
create or replace view hitotsu.stock_reserved as
    select sku, coalesce(served_by, location_id) as location_id, sum(quantity)::bigint as reserved
    from hitotsu.stock_hold
    where state = 'committed' or state = 'open' and expires_at > now() group by 1, 2;
"""
# one row for each lot that a hold takes from; what a capture leaves is free again. What facts of
# `hitotsu-points` take on their way is held for deciders alone: nobody asked for that hold
# `applied_*`: of an applied hold, the event whose entries took its points, and the partition and
# `next_offset` of the batch that applied it; readers without those entries count it all the same
POINTS_HOLDS = f"""
create table if not exists hitotsu.points_hold (
    id uuid not null,
    profile_id uuid not null,
    lot_id uuid not null,
    points bigint not null check (points >= 0),
    place smallint not null,
    whose uuid not null,
    channel text not null,
    client text not null,
    state text not null default 'open'
        check (state in ('open', 'captured', 'applied', 'released', 'expired')),
    transaction_id uuid,
    expires_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    resolved_at timestamptz,
    applied_event uuid,
    applied_partition int,
    applied_offset bigint,
    primary key (id, profile_id, lot_id)
);
{POINTS_APPLIED}
create index if not exists points_hold_applied
    on hitotsu.points_hold (applied_partition, applied_offset) where state = 'applied';
create index if not exists points_hold_promised
    on hitotsu.points_hold (profile_id, lot_id) where state in ('open', 'captured');
create index if not exists points_hold_by_age on hitotsu.points_hold using brin (created_at);
create or replace view hitotsu.points_held as
    select profile_id, lot_id, sum(points)::bigint as points from hitotsu.points_hold
    where client <> 'hitotsu-points'
        and (state = 'captured' or state = 'open' and expires_at > now()) group by 1, 2;
"""
# what the rules made of each line, what waits to be judged, how far the log was looked through
POINTS_RULES = """
create table if not exists hitotsu.points_decided (
    transaction_id uuid not null,
    line_no int not null,
    profile_id uuid not null,
    sku text collate "C" not null,
    sold_at bigint not null,
    category text,
    rank text,
    lot_id uuid,
    points bigint not null,
    rule_version text,
    units bigint not null,
    lapsed bigint not null,
    revision int not null,
    primary key (transaction_id, line_no)
);
create index if not exists points_decided_sku on hitotsu.points_decided (sku, sold_at);
create table if not exists hitotsu.points_forgiven (
    profile_id uuid primary key,
    points bigint not null
);
create table if not exists hitotsu.points_due (
    transaction_id uuid primary key,
    owner_id uuid not null,
    since timestamptz not null default clock_timestamp(),
    failed text
);
create table if not exists hitotsu.points_cursor (
    topic text not null,
    partition int not null,
    next_offset bigint not null,
    primary key (topic, partition)
);
"""
# entries of facts that are on their way, by whose they are; a lot that has ended is left in peace
# for a day once it was looked at
POINTS_ON_THE_WAY = """
create table if not exists hitotsu.points_awaited (
    event_id uuid not null,
    number smallint not null,
    profile_id uuid not null,
    entry jsonb not null,
    primary key (event_id, number)
);
create index if not exists points_awaited_profile on hitotsu.points_awaited (profile_id);
create table if not exists hitotsu.points_expired (
    profile_id uuid not null,
    lot_id uuid not null,
    expired_on date not null,
    points bigint not null,
    primary key (profile_id, lot_id, expired_on)
);
create table if not exists hitotsu.points_sweep (
    single boolean primary key default true check (single),
    day date not null
);
create table if not exists hitotsu.points_over (profile_id uuid primary key);
"""


def prepare(connection: psycopg.Connection) -> None:
    """Creates what is missing; safe to run again."""
    for statements in (ANSWERS, STOCK_HOLDS, POINTS_HOLDS, POINTS_RULES, POINTS_ON_THE_WAY):
        connection.execute(unless_there(statements).encode())
