-- Columns whose values are OIDs that are written as names. pg_proc's own types of that kind have OIDs below 16384.
select n.nspname as schema, c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type,
       t.typelem <> 0 and t.typlen = -1 as is_array
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_type t on t.oid = a.atttypid
where c.relkind in ('r', 'p') and c.relpersistence <> 't' and a.attnum > 0 and not a.attisdropped
  and not c.relispartition -- since 10
  and t.typname ~ '^_?reg(class|proc|procedure|oper|operator|type|role|namespace|config|dictionary|collation)$'
  and t.typnamespace = 'pg_catalog'::regnamespace
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
  and not exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
order by 1, 2, a.attnum
