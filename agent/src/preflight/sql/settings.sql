-- Parameters whose difference between two servers shows after a migration.
select name, setting as value
from pg_settings
where name in ('array_nulls', 'bytea_output', 'DateStyle', 'default_tablespace', 'default_text_search_config',
               'default_toast_compression', 'default_transaction_isolation', 'IntervalStyle', 'lc_messages', 'lc_monetary',
               'lc_numeric', 'lc_time', 'max_connections', 'max_locks_per_transaction', 'max_prepared_transactions',
               'max_slot_wal_keep_size', 'password_encryption', 'search_path', 'shared_preload_libraries', 'TimeZone',
               'wal_sender_timeout', 'xmlbinary', 'xmloption')
