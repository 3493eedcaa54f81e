-- Columns whose values are compressed with lz4.
select format('%I.%I.%I', n.nspname, c.relname, a.attname) as name,
       format('alter table %I.%I alter column %I set compression default;', n.nspname, c.relname, a.attname) as remedy
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where a.attnum > 0 and not a.attisdropped
  and a.attcompression = 'l' -- since 14
  and false -- before 14
  and c.relkind in ('r', 'p', 'm', 'f') and c.relpersistence <> 't' and c.oid >= 16384
  and n.nspname not like 'pg\_%' and n.nspname <> 'whimbrel' and {relation c.oid}
order by 1
limit 1000
