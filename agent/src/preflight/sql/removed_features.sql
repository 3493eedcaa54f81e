-- What later versions have taken away: hidden OID columns of tables, and types.
select n.nspname as schema, c.relname as table, null::text as column, null::text as type, null::text as instead
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence <> 't'
  and c.relhasoids -- before 12
  and false -- since 12
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
union all
select n.nspname, c.relname, a.attname, format_type(a.atttypid, null),
       case a.atttypid::int when 702 then 'timestamp with time zone' when 703 then 'interval' else 'text' end
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'c') and c.relpersistence <> 't' and a.attnum > 0 and not a.attisdropped
  -- abstime, reltime, tinterval, and arrays of them; unknown.
  and a.atttypid in (702, 703, 704, 1023, 1024, 1025, 705) -- before 10
  and a.atttypid in (702, 703, 704, 1023, 1024, 1025) -- since 10 before 12
  and false -- since 12
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
order by 1, 2, 3
