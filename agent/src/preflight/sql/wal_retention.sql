-- To be asked over a session that has the server's own settings. Sizes in MB, times in ms; null: the server has no such
-- parameter.
select (select setting::int8 from pg_settings where name = 'max_slot_wal_keep_size') as keep,
       (select setting::int8 from pg_settings where name = 'wal_sender_timeout') as sender_timeout,
       (select setting::int8 * case unit when 's' then 1 when 'min' then 60 else 1 end
        from pg_settings where name = 'idle_replication_slot_timeout') as slot_timeout,
       (select coalesce(sum(case when has_database_privilege(oid, 'CONNECT') then pg_database_size(oid) end), 0) / 1048576
        from pg_database where datname = any ($1::text[]))::int8 as size
