-- backup: yes; claims of guests' purchases that were accepted, until their events are applied
create table if not exists hitotsu.claim_decided (
    transaction_id uuid primary key,
    profile_id uuid not null,
    event_id uuid not null,
    decided_at timestamptz not null default clock_timestamp()
);
create index if not exists claim_decided_by_age on hitotsu.claim_decided using brin (decided_at);
