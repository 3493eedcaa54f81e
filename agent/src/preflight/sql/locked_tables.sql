-- What this transaction has read of the database's own, but for the relation $1.
select distinct c.oid::regclass::text as name
from pg_locks l
join pg_class c on c.oid = l.relation
where l.pid = pg_backend_pid() and l.locktype = 'relation'
  and l.database = (select oid from pg_database where datname = current_database())
  and c.oid >= 16384 and c.oid <> $1::int8::oid and c.relkind in ('r', 'p', 'f', 'm')
order by 1
