-- What all groups of projections share. `hitotsu` holds these tables; each group's own schema holds
-- its event ledger and its projections' tables, which are created from their declarations.
-- This file also takes over tables that releases without migrations have created.

-- backup: no; the small numbers by which ledgers name topics
create table if not exists hitotsu.topic (
    no smallint generated always as identity primary key,
    name text not null unique
);
-- backup: no; how far each group has read, follows from the log
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
-- backup: yes; what people decided about records that were refused, with their notes
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
-- The first releases queued changes of Redis as jsonb. Without its queue Redis is filled anew, which
-- the missing generation makes sure of.
do $$ begin
    if exists (select from pg_attribute where attrelid = to_regclass('hitotsu.redis_pending')
            and attname = 'views' and atttypid = 'jsonb'::regtype) then
        drop table hitotsu.redis_pending;
        delete from hitotsu.cache_generation;
    end if;
end $$;
-- backup: no; changes that Redis has not got yet, the write-behind queue
create table if not exists hitotsu.redis_pending (
    id bigint generated always as identity primary key,
    grp text not null,
    owner uuid not null,
    partitions text[] not null,
    views bytea not null,
    created_at timestamptz not null default now()
);
-- written and deleted within a second: compressing it would cost more than it saves
alter table hitotsu.redis_pending alter column views set storage external;
-- backup: no; the cache epoch of each group, and the Redis server that it was written to
create table if not exists hitotsu.cache_generation (
    grp text primary key,
    generation uuid not null,
    server text
);
alter table hitotsu.cache_generation add column if not exists server text;
-- backup: no; the version that each projection's tables hold
create table if not exists hitotsu.projection_version (
    grp text not null,
    projection text not null,
    version int not null,
    primary key (grp, projection)
);
-- `read` and `total` count records; they are null until the first were folded
-- backup: no; projections whose tables are folded from offset 0 beside the live ones
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
