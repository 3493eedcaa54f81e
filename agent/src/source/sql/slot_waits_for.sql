-- Transactions that hold a transaction id, of the whole server: logical decoding begins at a point where all of those have ended
-- that were there. Oldest first; what has just begun is none of those. When another
-- role's transaction began is hidden from some roles.
select who
from (
  select format('pid %s (%s, user %s, database %s)', l.pid, coalesce(nullif(a.application_name, ''), 'no application name'),
                coalesce(a.usename, 'unknown'), coalesce(a.datname, 'none')) as who,
         max(age(l.transactionid)) as age
  from pg_locks l
  left join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted and l.pid <> pg_backend_pid()
    and coalesce(a.xact_start < clock_timestamp() - interval '3 seconds', true)
  group by 1
  union all
  select format('prepared transaction %L (user %s, database %s)', gid, owner, database), age(transaction)
  from pg_prepared_xacts
) there
order by age desc, who
limit 5;
