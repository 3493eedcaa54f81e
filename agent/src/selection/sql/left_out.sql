-- Schemas that are left out, and relations that are in schemas that are not.
select n.nspname::text as schema, null::text as relation
from pg_namespace n
where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and not {schema n.nspname}
union all
select n.nspname::text, c.relname::text
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and c.relpersistence <> 't'
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {schema n.nspname} and not {relation c.oid}
order by 1, 2
