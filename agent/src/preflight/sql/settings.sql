-- Parameters whose difference between two servers shows after a migration, over a session without settings of ours. What
-- the session's role or database set is not the server's.
select name, reset_val as value
from pg_settings
where source not in ('client', 'session', 'database', 'user', 'database user')
  and name in ('array_nulls', 'bytea_output', 'DateStyle', 'default_tablespace', 'default_text_search_config',
               'default_toast_compression', 'default_transaction_deferrable', 'default_transaction_isolation',
               'default_transaction_read_only', 'extra_float_digits', 'IntervalStyle', 'lc_messages', 'lc_monetary',
               'lc_numeric', 'lc_time', 'max_connections', 'max_locks_per_transaction', 'max_prepared_transactions',
               'max_slot_wal_keep_size', 'password_encryption', 'row_security', 'search_path', 'session_replication_role',
               'shared_preload_libraries', 'standard_conforming_strings', 'statement_timeout', 'synchronous_commit',
               'TimeZone', 'transform_null_equals', 'wal_sender_timeout', 'xmlbinary', 'xmloption')
