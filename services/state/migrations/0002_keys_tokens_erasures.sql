-- Subject keys, API tokens and erasures.

-- A destroyed key leaves its row behind, empty, so that no process makes the person a second key.
-- backup: yes; without its key nobody reads what the log has of a person
create table if not exists hitotsu.subject_key (
    subject bytea primary key,
    wrapped bytea,
    kek_id text,
    created_at timestamptz not null default now(),
    erased_at timestamptz,
    check ((wrapped is null) = (erased_at is not null) and (wrapped is null) = (kek_id is null))
);
-- backup: yes; callers: SHA-256 of each token, its scopes and its role
create table if not exists hitotsu.api_token (
    token_hash bytea primary key,
    name text not null unique,
    scopes text[] not null,
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);
-- tokens that were made before there were roles get theirs by the channel that they speak for
do $$ begin
    if not exists (select from pg_attribute where attrelid = 'hitotsu.api_token'::regclass
            and attname = 'role' and not attisdropped) then
        alter table hitotsu.api_token add column role text;
        update hitotsu.api_token set role = case
            when 'channel:*' = any (scopes) then 'operations'
            when 'channel:EC' = any (scopes) then 'ec'
            when 'channel:STORE' = any (scopes) then 'till'
            else 'operations' end
        where 'events:write' = any (scopes);
    end if;
end $$;
-- backup: yes; whom to erase, and how far it has come: an erasure goes on after a crash
create table if not exists hitotsu.erasure (
    profile_id uuid primary key,
    member_id uuid not null,
    event_id uuid not null,
    asked_at timestamptz not null,
    reason text,
    actor text,
    topic text,
    partition int,
    "offset" bigint,
    destroyed_at timestamptz,
    dead_letters int not null default 0,
    finished_at timestamptz
);
create index if not exists erasure_member on hitotsu.erasure (member_id);
