-- Points belong to a program. An empty name is the default program's: so is what was decided before
-- there were several.
alter table hitotsu.points_hold add column if not exists program_id text not null default '';

alter table hitotsu.points_decided add column if not exists program_id text not null default '';
alter table hitotsu.points_decided drop constraint if exists points_decided_pkey;
alter table hitotsu.points_decided add primary key (transaction_id, line_no, program_id);

alter table hitotsu.points_forgiven add column if not exists program_id text not null default '';
alter table hitotsu.points_forgiven drop constraint if exists points_forgiven_pkey;
alter table hitotsu.points_forgiven add primary key (profile_id, program_id);

-- each program's days begin in its own time zone
alter table hitotsu.points_sweep add column if not exists program_id text not null default '';
alter table hitotsu.points_sweep drop constraint if exists points_sweep_pkey;
alter table hitotsu.points_sweep drop column if exists single;
alter table hitotsu.points_sweep add primary key (program_id);

alter table hitotsu.points_over add column if not exists program_id text not null default '';
alter table hitotsu.points_over drop constraint if exists points_over_pkey;
alter table hitotsu.points_over add primary key (program_id, profile_id);
