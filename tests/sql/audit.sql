-- Who commits what on the target, told by the target: each transaction of ours that writes to the ledger's tables is
-- noted with its session's epoch (the last number of its name). A note that was rolled back is not there.
create schema audit;
create table audit.note (
    xid xid8 not null default pg_current_xact_id(),
    epoch bigint not null default substring(current_setting('application_name') from '[0-9]+$')::bigint,
    installed bigint,
    what text not null
);
create function audit.note() returns trigger language plpgsql as $$
begin
    insert into audit.note (what) values (tg_table_name);
    return null;
end $$;
create function audit.note_ledger() returns trigger language plpgsql as $$
begin
    insert into audit.note (installed, what)
    values (case when new.epoch > old.epoch and new.phase <> 'live' then new.epoch end, tg_table_name);
    return null;
end $$;
create trigger audit after update on whimbrel.ledger for each row execute function audit.note_ledger();
create trigger audit after insert or update on whimbrel.part for each row execute function audit.note();
create trigger audit after insert on whimbrel.entry for each row execute function audit.note();
create trigger audit after update on whimbrel.relation for each row execute function audit.note();
alter table whimbrel.ledger enable always trigger audit;
alter table whimbrel.part enable always trigger audit;
alter table whimbrel.entry enable always trigger audit;
alter table whimbrel.relation enable always trigger audit;
