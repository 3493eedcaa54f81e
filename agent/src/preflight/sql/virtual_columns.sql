-- Tables with virtual generated columns (since 18) that will be published: a partitioned table once, for all its partitions.
select distinct format('%I.%I', n.nspname, r.relname) as name
from pg_class c
join pg_namespace own on own.oid = c.relnamespace
join pg_class r on r.oid = coalesce(pg_partition_root(c.oid), c.oid) -- since 12
join pg_class r on r.oid = c.oid -- before 12
join pg_namespace n on n.oid = r.relnamespace
where c.relkind = 'r' and c.relpersistence = 'p'
  and own.nspname not like 'pg\_%' and own.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
  and exists (
      select from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        and a.attgenerated = 'v' -- since 12
        and false -- before 12
  )
  and not exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
order by 1
