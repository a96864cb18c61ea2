create schema if not exists hitotsu;
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
    generation uuid not null
);
create table if not exists hitotsu.projection_version (
    grp text not null,
    projection text not null,
    version int not null,
    primary key (grp, projection)
);
do $$ begin
    if exists (select from pg_attribute where attrelid = 'hitotsu.redis_pending'::regclass
            and attname = 'views' and attstorage <> 'e') then
        alter table hitotsu.redis_pending alter column views set storage external;
    end if;
end $$;
CREATE SCHEMA IF NOT EXISTS hitotsu;
CREATE TABLE IF NOT EXISTS hitotsu.subject_key (
    subject    bytea PRIMARY KEY,
    wrapped    bytea,
    kek_id     text,
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at  timestamptz,
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL) AND (wrapped IS NULL) = (kek_id IS NULL))
);
CREATE TABLE IF NOT EXISTS hitotsu.api_token (
    token_hash bytea PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE SCHEMA IF NOT EXISTS hitotsu;
CREATE TABLE IF NOT EXISTS hitotsu.erasure (
    profile_id    uuid PRIMARY KEY,
    member_id     uuid NOT NULL,
    event_id      uuid NOT NULL,
    asked_at      timestamptz NOT NULL,
    reason        text,
    actor         text,
    topic         text,
    partition     int,
    "offset"      bigint,
    destroyed_at  timestamptz,
    dead_letters  int NOT NULL DEFAULT 0,
    finished_at   timestamptz
);
CREATE INDEX IF NOT EXISTS erasure_member ON hitotsu.erasure (member_id);
create table if not exists hitotsu.answer (
    client text not null,
    key text not null,
    body_hash bytea not null,
    status smallint not null default 0,
    body text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    primary key (client, key)
);
create table if not exists hitotsu.outbox (
    id bigint generated always as identity primary key,
    topic text not null,
    record_key bytea not null,
    record_value bytea not null,
    headers jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz
);
create index if not exists outbox_to_send on hitotsu.outbox (id) where sent_at is null;
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
    primary key (id, sku, location_id)
);
create index if not exists stock_hold_promised
    on hitotsu.stock_hold (sku, location_id) where state in ('open', 'committed');
create or replace view hitotsu.stock_reserved as
    select sku, coalesce(served_by, location_id) as location_id, sum(quantity)::bigint as reserved
    from hitotsu.stock_hold
    where state = 'committed' or state = 'open' and expires_at > now() group by 1, 2;
create table if not exists hitotsu.points_hold (
    id uuid not null,
    profile_id uuid not null,
    lot_id uuid not null,
    points bigint not null check (points >= 0),
    whose uuid not null,
    channel text not null,
    client text not null,
    state text not null default 'open'
        check (state in ('open', 'captured', 'applied', 'released', 'expired')),
    transaction_id uuid,
    expires_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    resolved_at timestamptz,
    primary key (id, profile_id, lot_id)
);
create index if not exists points_hold_promised
    on hitotsu.points_hold (profile_id, lot_id) where state in ('open', 'captured');
create or replace view hitotsu.points_held as
    select profile_id, lot_id, sum(points)::bigint as points from hitotsu.points_hold
    where state = 'captured' or state = 'open' and expires_at > now() group by 1, 2;
