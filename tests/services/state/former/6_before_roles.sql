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
create index if not exists answer_by_age on hitotsu.answer using brin (created_at);
create table if not exists hitotsu.outbox (
    id bigint generated always as identity primary key,
    topic text not null,
    record_key bytea not null,
    record_value bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz
);
do $$ begin
    if exists (select from pg_attribute where attrelid = 'hitotsu.outbox'::regclass
            and attname = 'headers' and not attisdropped) then
        alter table hitotsu.outbox drop column headers;
    end if;
end $$;
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
create index if not exists stock_hold_by_age on hitotsu.stock_hold using brin (created_at);
create or replace view hitotsu.stock_reserved as
    select sku, coalesce(served_by, location_id) as location_id, sum(quantity)::bigint as reserved
    from hitotsu.stock_hold
    where state = 'committed' or state = 'open' and expires_at > now() group by 1, 2;
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
    primary key (id, profile_id, lot_id)
);
create index if not exists points_hold_promised
    on hitotsu.points_hold (profile_id, lot_id) where state in ('open', 'captured');
create index if not exists points_hold_by_age on hitotsu.points_hold using brin (created_at);
create or replace view hitotsu.points_held as
    select profile_id, lot_id, sum(points)::bigint as points from hitotsu.points_hold
    where client <> 'hitotsu-points'
        and (state = 'captured' or state = 'open' and expires_at > now()) group by 1, 2;
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
create table if not exists hitotsu.match_progress (
    rule_version text not null,
    form text not null,
    share smallint not null,
    positions bigint[] not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (rule_version, form, share)
);
create table if not exists hitotsu.match_features (
    profile_id uuid primary key,
    form text not null,
    "offset" bigint not null,
    at bigint not null,
    features bytea not null
);
create table if not exists hitotsu.match_rules_text (
    version text not null,
    valid_from bigint not null,
    set_at bigint not null,
    rules text not null,
    primary key (version, valid_from)
);
create table if not exists hitotsu.match_rules_cursor (
    partition smallint primary key,
    next_offset bigint not null
);
create table if not exists hitotsu.match_link (
    rule_version text not null,
    profile_id uuid not null,
    other_profile_id uuid not null,
    linked boolean not null,
    decided_at bigint not null,
    weight double precision not null,
    evidence text[] not null,
    primary key (rule_version, profile_id, other_profile_id),
    check (profile_id < other_profile_id)
);
create index if not exists match_link_other on hitotsu.match_link (other_profile_id);
create index if not exists match_link_one on hitotsu.match_link (profile_id);
create table if not exists hitotsu.match_decision (
    profile_id uuid not null,
    other_profile_id uuid not null,
    decided_at bigint not null,
    together boolean not null,
    event_id uuid not null,
    link_id uuid,
    actor text,
    reason text,
    primary key (profile_id, other_profile_id),
    check (profile_id < other_profile_id)
);
create index if not exists match_decision_other on hitotsu.match_decision (other_profile_id);
create table if not exists hitotsu.identity_case (
    case_id uuid primary key,
    rule_version text not null,
    profile_id uuid not null,
    other_profile_id uuid not null,
    weight double precision not null,
    evidence text[] not null,
    opened_at bigint not null,
    seen_at timestamptz not null default clock_timestamp(),
    closed_at bigint,
    outcome text check (outcome in ('linked', 'declined', 'unlinked', 'rule', 'evidence')),
    event_id uuid,
    actor text,
    reason text,
    check (profile_id < other_profile_id),
    check ((closed_at is null) = (outcome is null))
);
create index if not exists identity_case_open
    on hitotsu.identity_case (rule_version, weight desc, case_id) where closed_at is null;
create index if not exists identity_case_one on hitotsu.identity_case (profile_id);
create index if not exists identity_case_other on hitotsu.identity_case (other_profile_id);
