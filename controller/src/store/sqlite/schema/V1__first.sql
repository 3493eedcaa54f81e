create table meta (
    key text primary key,
    value integer not null
) strict, without rowid;

insert into meta (key, value) values ('term', 0);

create table target (
    id text primary key,
    version integer not null,
    doc text not null
) strict;

create table agent (
    id text primary key,
    version integer not null,
    doc text not null
) strict;

create table join_token (
    hash blob primary key,
    labels text not null,
    expires_at integer not null,
    spent_by text
) strict;

create table migration (
    uid text primary key,
    target_id text not null references target (id) on delete cascade,
    name text not null,
    version integer not null,
    over integer not null,
    created_at integer not null,
    doc text not null,
    unique (target_id, name)
) strict;

create index migration_by_age on migration (created_at, uid);
create index migration_active on migration (over) where over = 0;

-- Laws that hold whatever program writes: one version after the other, and an end is an end.
create trigger migration_one_version_at_a_time before update on migration
when new.version <> old.version + 1
begin
    select raise(abort, 'a migration''s version goes up by one');
end;

create trigger migration_over_is_over before update on migration
when old.over = 1 and new.over = 0
begin
    select raise(abort, 'a migration that is over stays over');
end;

create table migration_event (
    migration_uid text not null references migration (uid) on delete cascade,
    sequence integer not null,
    at integer not null,
    database text not null,
    kind text not null,
    code text not null,
    message text not null,
    actor text not null,
    primary key (migration_uid, sequence)
) strict, without rowid;

create trigger migration_event_has_no_gap before insert on migration_event
when new.sequence <> 1 + (
    select coalesce(max(sequence), 0) from migration_event where migration_uid = new.migration_uid
)
begin
    select raise(abort, 'events are numbered without gaps');
end;

create table outbox (
    position integer primary key autoincrement,
    id text not null unique,
    migration_uid text not null references migration (uid) on delete cascade,
    agent text not null,
    doc text not null
) strict;

create index outbox_by_agent on outbox (agent, position);
create index outbox_by_migration on outbox (migration_uid, position);

create table request (
    id text primary key,
    method text not null,
    hash blob not null,
    subject text not null,
    at integer not null
) strict;

create index request_by_age on request (at);
