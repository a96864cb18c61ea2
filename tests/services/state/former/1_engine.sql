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
    views jsonb not null,
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
