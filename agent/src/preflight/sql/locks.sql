-- Locks that making this database's relations in one transaction takes, and those that dumping its tables does.
select count(*) as schema, count(*) filter (where c.relkind in ('r', 'p')) as dump
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'S', 'v', 'm', 'f', 'c', 't', 'i') and c.relpersistence <> 't' and c.oid >= 16384
  and (n.nspname = 'pg_toast' or c.relkind <> 'i')
  and n.nspname not in ('pg_catalog', 'information_schema', 'whimbrel')
