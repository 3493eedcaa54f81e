-- Locks that one server can hold at once.
select current_setting('max_locks_per_transaction')::int8 as per_transaction,
       current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8 as transactions
