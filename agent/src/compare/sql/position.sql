-- Behind everything that is committed here; on a standby, that is replayed.
select case when pg_is_in_recovery()
            then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end -- since 10
            then pg_last_xlog_replay_location() else pg_current_xlog_insert_location() end -- before 10
