-- Every transaction of this database that is open now, with or without a transaction id (one that has none yet can still
-- write), by what stays its own as long as it lives. Each holds a lock on its virtual id; pg_locks tells that to every
-- role. Ours, and autovacuum's (which has no user), write no rows of the application's.
select l.virtualtransaction as id, false as prepared, l.pid, coalesce(a.usename, '')::text as "user",
       coalesce(a.application_name, '') as application
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'virtualxid' and l.mode = 'ExclusiveLock' and l.granted and l.pid <> pg_backend_pid()
  and a.datname = current_database() and coalesce(a.application_name, '') not like 'whimbrel/%'
  and a.usesysid is not null and coalesce(a.backend_type, '') <> 'walsender'
union all
select gid, true, 0, owner::text, ''
from pg_prepared_xacts
where database = current_database();
