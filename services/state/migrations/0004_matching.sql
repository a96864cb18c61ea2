-- What the matcher keeps: how far it compared, what it found, what staff decided.

-- `positions`: next offset by partition of commerce.members up to which the profiles of the share
-- are compared with everybody's; the rule version '' says up to where their features are stored.
-- Another `form` of features (a newer normaliser) begins anew.
-- backup: no; follows from the log: the matcher reads it again from its beginning
create table if not exists hitotsu.match_progress (
    rule_version text not null,
    form text not null,
    share smallint not null,
    positions bigint[] not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (rule_version, form, share)
);
-- "offset": how many records of all partitions were known with the features
-- backup: no; sealed features spare a restart from normalising everybody again
create table if not exists hitotsu.match_features (
    profile_id uuid primary key,
    form text not null,
    "offset" bigint not null,
    at bigint not null,
    features bytea not null
);
delete from hitotsu.match_features where features is null;
alter table hitotsu.match_features alter column features set not null;
-- backup: no; the versions of the rules as the catalog has them
create table if not exists hitotsu.match_rules_text (
    version text not null,
    valid_from bigint not null,
    set_at bigint not null,
    rules text not null,
    primary key (version, valid_from)
);
-- backup: no; how far the catalog was searched for rules
create table if not exists hitotsu.match_rules_cursor (
    partition smallint primary key,
    next_offset bigint not null
);
-- one row for each pair that a rule linked, under each version of the rules
-- backup: no; links follow from the log and the rules
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
-- `link_id` names the evidence that the decision was made about
-- backup: yes; the last decision of staff on each pair, with its reason
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
-- backup: yes; pairs that staff decide, and what was decided, with its reason
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
