-- What logical replication has at hand on this server.
select current_setting('wal_level') as wal_level,
       current_setting('max_replication_slots')::int8 as slots,
       (select count(*) from pg_replication_slots) as slots_taken,
       (select coalesce(json_agg(slot_name order by slot_name), '[]')
        from pg_replication_slots where not active) as idle_slots,
       current_setting('max_wal_senders')::int8 as senders,
       -- By the view: who is no superuser is not told, and asking otherwise is an error.
       (select setting from pg_settings where name = 'output_plugin_libraries') as plugins,
       (select count(*) from pg_stat_replication) as senders_taken
