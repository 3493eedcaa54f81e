-- Indexes that pg_dump leaves out: of tables, what a CREATE INDEX CONCURRENTLY that failed has left.
select n.nspname as schema, x.relname as name, c.relname as table
from pg_index i
join pg_class x on x.oid = i.indexrelid
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = x.relnamespace
where not i.indisvalid and x.relkind = 'i' and c.relpersistence <> 't'
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
order by 1, 2
