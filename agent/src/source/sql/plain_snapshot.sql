select pg_export_snapshot(),
       pg_current_wal_insert_lsn(), -- since 10
       pg_current_xlog_insert_location(), -- before 10
       (select system_identifier::text from pg_control_system())
