-- Transactions of this database that hold a transaction id, ours left out: they have written and have not ended. pg_locks
-- tells it to every role, where pg_stat_activity hides other roles' transactions.
select format('pid %s (%s, user %s)', l.pid, coalesce(nullif(a.application_name, ''), 'no application name'),
              coalesce(a.usename, 'unknown'))
from pg_locks l
left join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted and l.pid <> pg_backend_pid()
  and a.datname = current_database() and coalesce(a.application_name, '') not like 'whimbrel/%'
  and a.usesysid is not null
union all
select format('prepared transaction %L (user %s)', gid, owner)
from pg_prepared_xacts
where database = current_database();
