-- What services decide with: answers by idempotency key, the outbox, holds, points by rules.

-- backup: yes; what was answered to each idempotency key, a refusal too
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
-- backup: yes; facts that were decided and are not in Kafka yet
create table if not exists hitotsu.outbox (
    id bigint generated always as identity primary key,
    topic text not null,
    record_key bytea not null,
    record_value bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz
);
-- headers were stored once; they follow from the value
alter table hitotsu.outbox drop column if exists headers;
create index if not exists outbox_to_send on hitotsu.outbox (id) where sent_at is null;

-- The location '' means none yet; `served_by` is the location that a committed hold counts at.
-- A resolved hold stays as history; the partial indexes have those that still promise something.
-- `applied_*`, of an applied hold: the row version of the cell with the fact in it, and partition
-- and next offset of the batch that applied it. Readers of an older row still count the hold.
-- `position`: how far the stock had been read that was looked at, in the first line of each item
-- and location of a batch.
-- backup: yes; units that are promised and not taken yet
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
    position jsonb,
    primary key (id, sku, location_id)
);
alter table hitotsu.stock_hold
    add column if not exists served_by text collate "C",
    add column if not exists applied_version bigint,
    add column if not exists applied_partition int,
    add column if not exists applied_offset bigint,
    add column if not exists position jsonb;
create index if not exists stock_hold_applied
    on hitotsu.stock_hold (applied_partition, applied_offset) where state = 'applied';
create index if not exists stock_hold_promised
    on hitotsu.stock_hold (sku, location_id) where state in ('open', 'committed');
create index if not exists stock_hold_by_age on hitotsu.stock_hold using brin (created_at);
create or replace view hitotsu.stock_reserved as
    select sku, coalesce(served_by, location_id) as location_id, sum(quantity)::bigint as reserved
    from hitotsu.stock_hold
    where state = 'committed' or state = 'open' and expires_at > now() group by 1, 2;

-- One row for each lot that a hold takes from; what a capture leaves is free again. Holds of the
-- client `hitotsu-points` are those of facts on their way: deciders count them, readers do not.
-- `applied_*`, of an applied hold: the event whose entries took its points, and partition and next
-- offset of the batch that applied it. Readers without those entries still count the hold.
-- backup: yes; points that are promised and not taken yet
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
alter table hitotsu.points_hold
    add column if not exists place smallint not null default 0,
    add column if not exists applied_event uuid,
    add column if not exists applied_partition int,
    add column if not exists applied_offset bigint;
alter table hitotsu.points_hold alter column place drop default;
create index if not exists points_hold_applied
    on hitotsu.points_hold (applied_partition, applied_offset) where state = 'applied';
create index if not exists points_hold_promised
    on hitotsu.points_hold (profile_id, lot_id) where state in ('open', 'captured');
create index if not exists points_hold_by_age on hitotsu.points_hold using brin (created_at);
create or replace view hitotsu.points_held as
    select profile_id, lot_id, sum(points)::bigint as points from hitotsu.points_hold
    where client <> 'hitotsu-points'
        and (state = 'captured' or state = 'open' and expires_at > now()) group by 1, 2;

-- backup: yes; what the rules made of each line of a sale
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
drop index if exists hitotsu.points_decided_sold;
create index if not exists points_decided_sku on hitotsu.points_decided (sku, sold_at);
-- backup: yes; points that returns should have taken and that were not there
create table if not exists hitotsu.points_forgiven (
    profile_id uuid primary key,
    points bigint not null
);
-- backup: yes; sales that wait to be judged by the rules
create table if not exists hitotsu.points_due (
    transaction_id uuid primary key,
    owner_id uuid not null,
    since timestamptz not null default clock_timestamp(),
    failed text
);
alter table hitotsu.points_due
    add column if not exists owner_id uuid,
    add column if not exists failed text;
-- a sale whose owner is not known is under its own id, as where it is written
update hitotsu.points_due set owner_id = transaction_id where owner_id is null;
alter table hitotsu.points_due alter column owner_id set not null;
-- backup: yes; how far the log was searched for sales
create table if not exists hitotsu.points_cursor (
    topic text not null,
    partition int not null,
    next_offset bigint not null,
    primary key (topic, partition)
);
-- backup: yes; entries of facts that are on their way
create table if not exists hitotsu.points_awaited (
    event_id uuid not null,
    number smallint not null,
    profile_id uuid not null,
    entry jsonb not null,
    primary key (event_id, number)
);
create index if not exists points_awaited_profile on hitotsu.points_awaited (profile_id);
-- backup: yes; lots whose expiry was decided; such a lot is not looked at again for a day
create table if not exists hitotsu.points_expired (
    profile_id uuid not null,
    lot_id uuid not null,
    expired_on date not null,
    points bigint not null,
    primary key (profile_id, lot_id, expired_on)
);
-- backup: yes; the day up to which expiry was decided for everybody
create table if not exists hitotsu.points_sweep (
    single boolean primary key default true check (single),
    day date not null
);
-- backup: yes; members whose points have to be settled once more
create table if not exists hitotsu.points_over (profile_id uuid primary key);
