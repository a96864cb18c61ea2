-- backup: yes; what upgrades changed: the tables of before are gone, so nothing can list it again
create table if not exists hitotsu.upgrade (
    id bigint generated always as identity primary key,
    grp text not null,
    projections text[] not null,
    positions jsonb not null,
    began_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    result jsonb
);
create unique index if not exists upgrade_under_way on hitotsu.upgrade (grp) where finished_at is null;
-- backup: yes; the answers that upgrades changed, before and after
create table if not exists hitotsu.upgrade_change (
    upgrade_id bigint not null references hitotsu.upgrade (id),
    answer text collate "C" not null,
    number int not null,
    key jsonb not null,
    before jsonb,
    after jsonb,
    documents jsonb not null,
    documents_total bigint not null,
    primary key (upgrade_id, answer, number)
);
