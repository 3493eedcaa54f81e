-- $1: the slot. WAL that is kept for it, what is left of what the server lets it keep (null: no bound of the server's), and that
-- bound; all in bytes.
select pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, s.restart_lsn)::int8 -- since 10
select pg_xlog_location_diff(case when pg_is_in_recovery() then pg_last_xlog_replay_location() else pg_current_xlog_location() end, s.restart_lsn)::int8 -- before 10
     , (to_jsonb(s) ->> 'safe_wal_size')::int8
     , (select nullif(setting::int8, -1) * 1024 * 1024 from pg_settings where name = 'max_slot_wal_keep_size')
from pg_replication_slots s
where s.slot_name = $1 and s.restart_lsn is not null
