-- Columns of type xml, of arrays of it, and of domains over it.
with recursive types as (
    select 'pg_catalog.xml'::regtype::oid as oid
    union
    select t.oid
    from types x
    join pg_type t on t.typtype = 'd' and t.typbasetype = x.oid or t.typelem = x.oid and t.typlen = -1
)
select format('%I.%I.%I', n.nspname, c.relname, a.attname) as name
from pg_attribute a
join types x on x.oid = a.atttypid
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where a.attnum > 0 and not a.attisdropped
  and c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't' and c.oid >= 16384
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel') and {relation c.oid}
order by 1
limit 1000
