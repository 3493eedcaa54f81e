-- In this order: a flush in between only makes more durable than is told.
select pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn()
