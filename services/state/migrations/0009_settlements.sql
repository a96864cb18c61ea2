-- backup: yes; decisions about discrepancies that were accepted, until their events are applied
create table if not exists hitotsu.settlement_decided (
    discrepancy_id uuid primary key,
    resolution text not null,
    event_id uuid not null,
    decided_at timestamptz not null default clock_timestamp()
);
create index if not exists settlement_decided_by_age on hitotsu.settlement_decided
    using brin (decided_at);
