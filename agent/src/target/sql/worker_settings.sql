-- A worker need not wait for the disk: what it loses in the target's crash is lost together with the ledger's word of
-- it, and the copy ends with a commit that does wait, for all that was written before it.
set synchronous_commit = off;
-- Most keys and indexes are sorted in memory then. There are at most eight workers.
select set_config('maintenance_work_mem', '256MB', false)
where pg_size_bytes(current_setting('maintenance_work_mem')) < pg_size_bytes('256MB');
